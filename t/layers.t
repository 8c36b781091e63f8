#!/usr/bin/perl
# The layers of DESIGN.md: a file includes headers of its own layer and of those below, never above;
# a header's prototypes begin with the header's name; and a library has one file that knows it.

use v5.26;
use warnings;
use Cwd qw(abs_path);
use File::Find;
use FindBin;
use Test::More;

my $source = abs_path($ENV{TICKD_SRC} // "$FindBin::Bin/..");
my @layers = qw(base system store query api http process);
my %layer = map { $layers[$_] => $_ + 1 } 0 .. $#layers;

# Who may include a library's header; names of files without their endings.
my %owner = (
    llhttp => qr{\Asrc/http/http1\z},
    nghttp2 => qr{\Asrc/http/http2\z},
    openssl => qr{\Asrc/http/tls\z},
    liburing => qr{\Asrc/system/[a-z_]+\z},
    seccomp => qr{\Asrc/process/[a-z_]+\z},
    confuse => qr{\Asrc/system/config[a-z_]*\z},
    ck => qr{\A(?:src|include)/(?:store|system)/[a-z_]+\z},
    zlib => qr{\Asrc/tools/[a-z_]+\z},
    jansson => qr{\Asrc/(?:tools/statjson|store/symbolfile)\z},
);
my @library = (
    [ qr{\Allhttp\.h\z}, 'llhttp' ], [ qr{\Anghttp2/}, 'nghttp2' ], [ qr{\Aopenssl/}, 'openssl' ], [ qr{\Aliburing}, 'liburing' ],
    [ qr{\Aseccomp\.h\z}, 'seccomp' ], [ qr{\Aconfuse\.h\z}, 'confuse' ], [ qr{\Ack_}, 'ck' ], [ qr{\Azlib\.h\z}, 'zlib' ],
    [ qr{\Ajansson\.h\z}, 'jansson' ],
);

# The one tool that reads what the server shares: it and its modules.
my $tickstat = qr{/tools/(?:tick)?stat[a-z]*\.[ch]\z};

my @files;
for my $folder (qw(src include)) {
    find({ no_chdir => 1, wanted => sub { push @files, $_ if /\.(?:c|h|def)\z/ } }, "$source/$folder") if -d "$source/$folder";
}
@files = sort map { s{\A\Q$source\E/}{}r } @files;
cmp_ok(scalar @files, '>', 10, 'there are sources under ' . $source);

sub slurp {
    my ($file) = @_;
    open my $handle, '<', "$source/$file" or die "$file: $!";
    local $/;
    return scalar <$handle>;
}

# Comments and strings say nothing about layers; what a string says is kept as "".
sub bare {
    my ($text) = @_;
    $text =~ s{(/\*.*?\*/)|(//[^\n]*)|("(?:\\.|[^"\\\n])*")|('(?:\\.|[^'\\\n])*')}{defined $3 ? '""' : defined $4 ? "' '" : ' '}gse;
    return $text;
}

subtest 'includes' => sub {
    for my $file (@files) {
        my ($folder) = $file =~ m{\A(?:src|include)/([a-z0-9_]+)/};
        my @wrong;
        if ($file ne 'src/tickd.c' && $file ne 'include/tickd.h' && !defined $folder) {
            push @wrong, 'lies in no layer';
        } elsif (defined $folder && $folder ne 'tools' && !$layer{$folder}) {
            push @wrong, "$folder/ is no layer";
        }
        my $text = slurp($file) =~ s{/\*.*?\*/}{}gsr;
        while ($text =~ /^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]/mg) {
            my ($quote, $header) = ($1, $2);
            for (@library) {
                my ($pattern, $name) = @$_;
                push @wrong, "includes <$header>, which is another file's to know"
                    if $header =~ $pattern && $file =~ s/\.[a-z]+\z//r !~ $owner{$name};
            }
            if ($quote eq '<') {
                push @wrong, "<$header> for a header of ours" if -f "$source/include/$header";
                next;
            }
            my ($to) = $header =~ m{\A([a-z0-9_]+)/};
            next if !defined $folder;
            if (!defined $to) {
                push @wrong, "\"$header\" does not name its layer" if $header ne 'config.h';
            } elsif ($folder eq 'tools') {
                push @wrong, "a tool includes \"$header\"" if $to ne 'tools' && $to ne 'base' && $to ne 'system' && $to ne 'store';
                push @wrong, "\"$header\" is above the tools but for tickstat" if $to =~ /\A(?:system|store)\z/ && $file !~ $tickstat;
            } elsif (!$layer{$to}) {
                push @wrong, "\"$header\" is of no layer";
            } elsif ($layer{$to} > $layer{$folder}) {
                push @wrong, "$folder/ includes \"$header\", which is above";
            }
        }
        ok(!@wrong, $file) or diag map { "  $_\n" } @wrong;
    }
};

subtest 'prototypes begin with the name of their header' => sub {
    for my $file (grep { m{\Ainclude/.*\.h\z} } @files) {
        my ($name) = $file =~ m{([^/]+)\.h\z};
        my $text = bare(slurp($file));
        $text =~ s{\\\n}{ }g;
        $text =~ s/^[ \t]*#.*$//mg;
        $text =~ s/__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)//g;
        $text =~ s/\b_Static_assert\s*\((?:[^()]|\([^()]*\))*\)\s*;//g;
        # Innermost braces first: bodies of structs, enums and inline functions go.
        1 while $text =~ s/\{[^{}]*\}/;/g;
        my @wrong;
        for my $declaration (split /;/, $text) {
            next if $declaration =~ /\btypedef\b/;
            # The outermost call-like name: of a function, not of a member or parameter that is a function pointer.
            my ($function) = $declaration =~ /\A[^(]*?\b([A-Za-z_]\w*)\s*\((?!\s*\*)/ or next;
            push @wrong, $function if $function !~ /\A\Q$name\E(?:_|\z)/;
        }
        ok(!@wrong, $file) or diag "  exports @wrong, expected ${name}_*";
    }
};

subtest 'what is not static is in the header of that name' => sub {
    for my $file (grep { m{\Asrc/(?!tools/|tickd\.c)} } @files) {
        my ($name) = $file =~ m{([^/]+)\.c\z} or next;
        my $text = bare(slurp($file));
        $text =~ s{\\\n}{ }g;
        $text =~ s/^[ \t]*#.*$//mg;
        1 while $text =~ s/\{[^{}]*\}/;/g;
        my @wrong;
        for my $declaration (split /;/, $text) {
            next if $declaration =~ /\A\s*(?:static|typedef|extern)\b/;
            my ($function) = $declaration =~ /\A\s*(?:[A-Za-z_][\w \t\n*]*?[\s*])([A-Za-z_]\w*)\s*\((?!\s*\*)/ or next;
            push @wrong, $function if $function !~ /\A\Q$name\E(?:_|\z)/;
        }
        ok(!@wrong, $file) or diag "  exports @wrong, expected ${name}_*";
    }
};

done_testing;
