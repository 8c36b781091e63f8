#!/usr/bin/perl
# tickload: what it makes of files, good and bad, and what is left when it is killed.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Digest::SHA;
use Fcntl qw(:flock O_RDONLY);
use File::Path qw(make_path remove_tree);
use FindBin;
use IO::Compress::Gzip qw(gzip $GzipError);
use lib "$FindBin::Bin/lib";
use POSIX ();
use Test::More;
use Tickd qw(build source sanitized scratch);
use Time::HiRes qw(time usleep);

my $tickload = build() . '/tickload';
-x $tickload or die "no $tickload: set TICKD_BUILD to the build directory\n";
my @wrapper = split ' ', $ENV{TICKD_WRAPPER} // '';
my $slow = @wrapper || sanitized();
my $tmp = scratch();

# 2024-08-08 and the day after, as seconds and as in file names.
use constant { DAY => 1723075200, NEXT => 1723161600 };
my ($first, $second) = ('08.08.24', '09.08.24');
my $series = 'x/Y/Z';
my @base = ('-e', 'x', '-s', 'Y', '-t', 'Z');

sub put_file ($name, $text) {
    open my $file, '>:raw', "$tmp/$name" or die "$name: $!";
    print $file $text;
    close $file or die "$name: $!";
    return "$tmp/$name";
}

sub get_file ($path) {
    open my $file, '<:raw', $path or return undef;
    local $/;
    return scalar <$file> // '';
}

# Start tickload; its output goes to files.
sub start ($stdin, @args) {
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    open STDIN, '<', $stdin // '/dev/null' or POSIX::_exit(126);
    open STDOUT, '>', "$tmp/stdout" or POSIX::_exit(126);
    open STDERR, '>', "$tmp/stderr" or POSIX::_exit(126);
    exec @wrapper, $tickload, @args or POSIX::_exit(127);
}

# Run it; its exit status, and what it wrote.
sub run ($stdin, @args) {
    waitpid start($stdin, @args), 0;
    my $status = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
    return ($status, get_file("$tmp/stdout"), get_file("$tmp/stderr"));
}

my $count = 0;
sub new_data () { my $data = "$tmp/data" . ++$count; mkdir $data or die "$data: $!"; return $data }

# All files of a data directory, name => bytes.
sub tree ($data, $dir = "$data/$series") {
    opendir my $handle, $dir or return {};
    return { map { $_ => get_file("$dir/$_") } grep { !/\A\.\.?\z/ } readdir $handle };
}

# Make the directory of the series hold exactly ${files}.
sub make_tree ($data, $files) {
    remove_tree("$data/x");
    make_path("$data/$series");
    for my $name (keys %$files) {
        open my $file, '>:raw', "$data/$series/$name" or die "$name: $!";
        print $file $files->{$name};
        close $file or die "$name: $!";
    }
    return;
}

# Column files of one day from rows [ns, price].
sub day_files ($day, @rows) {
    return (
        "time.$day.bin" => pack('V*', map { int($_->[0] / 1e9) } @rows),
        "nanos.$day.bin" => pack('V*', map { $_->[0] % 1_000_000_000 } @rows),
        "price.$day.bin" => pack('f<*', map { $_->[1] } @rows),
    );
}

# A run that must work and leave exactly ${files}.
sub loads ($name, $stdin, $args, %files) {
    my $data = new_data();
    my ($status, $out, $err) = run($stdin, '-d', $data, @base, @$args);
    is("$status|$err", '0|', "$name: works");
    is_deeply(tree($data), \%files, "$name: the files") or diag join ' ', sort keys %{ tree($data) };
    return $out;
}

# A run that must fail with ${status} and say ${like}, and leave nothing.
sub refuses ($name, $status, $like, @args) {
    my $data = new_data();
    my ($got, $out, $err) = run(undef, '-d', $data, @base, @args);
    is("$got|$out", "$status|", "$name: status $status, nothing on stdout");
    like($err, $like, "$name: says so");
    unlike($err, qr/^(?!tickload: )/m, "$name: in the manner of a command");
    ok(!-e "$data/x", "$name: leaves nothing");
    return;
}

my $T = DAY * 1_000_000_000;
my @rows = ([ $T + 5, 1.5 ], [ $T + 1_000_000_007, 2.25 ], [ $T + 1_000_000_007, -3 ], [ NEXT * 1_000_000_000, 4 ]);
my %files = (day_files($first, @rows[ 0 .. 2 ]), day_files($second, $rows[3]));
my $map = 'time=t:ns,price=p';
my $plain = join '', "t,p\n", map { "$_->[0],$_->[1]\n" } @rows;

subtest 'forms of files' => sub {
    my $csv = put_file('plain.csv', $plain);
    gzip(\$plain => \my $gz) or die $GzipError;
    my $packed = put_file('packed', $gz);
    my $out = loads('plain', undef, [ '-m', $map, $csv ], %files);
    like($out, qr{\Ax/Y/Z: 4 rows in 2 days, 2024-08-08 to 2024-08-09; [\d.]+ s, [\d.]+ M rows/s\n\z}, 'a summary');
    my $one = loads('one row', undef, [ '-m', $map, put_file('a', "t,p\n$rows[3][0],4\n") ], day_files($second, $rows[3]));
    like($one, qr{\Ax/Y/Z: 1 row in 1 day, 2024-08-09; }, 'a summary of one');
    is(loads('quiet', undef, [ '-q', '-m', $map, $csv ], %files), '', 'no summary');
    loads('gzip', undef, [ '-m', $map, $packed ], %files);
    loads('stdin', $csv, [ '-m', $map, '-' ], %files);
    loads('gzip on stdin', $packed, [ '-m', $map, '-' ], %files);
    loads('no newline at the end', undef, [ '-m', $map, put_file('a', $plain =~ s/\n\z//r) ], %files);
    loads('empty lines', undef, [ '-m', $map, put_file('a', $plain =~ s/\n/\n\n/gr) ], %files);
    loads('CRLF', undef, [ '-m', $map, put_file('a', $plain =~ s/\n/\r\n/gr) ], %files);
    loads('byte order mark', undef, [ '-m', $map, put_file('a', "\xef\xbb\xbf$plain") ], %files);
    loads('quotes', undef, [ '-m', $map, put_file('a', $plain =~ s/([^,\n]+)/"$1"/gr) ], %files);
    loads('spaces', undef, [ '-m', $map, put_file('a', $plain =~ s/,/ , /gr) ], %files);
    loads('semicolons', undef, [ '-m', $map, '--delimiter', ';', put_file('a', $plain =~ tr/,/;/r) ], %files);
    loads('tabs', undef, [ '-m', $map, '--delimiter=tab', put_file('a', $plain =~ tr/,/\t/r) ], %files);
    loads('by number', undef, [ '-m', 'time=#1:ns,price=#2', put_file('a', $plain =~ s/.*\n//r) ], %files);
    loads('--skip-header', undef, [ '-m', 'time=#1:ns,price=#2', '--skip-header', $csv ], %files);
    loads('other order', undef, [ '-m', $map, put_file('a', join '', "x,p,t\n", map { "z,$_->[1],$_->[0]\n" } @rows) ], %files);
    loads('nothing but a header', undef, [ '-m', $map, put_file('a', "t,p\n") ]);
    loads('nothing', undef, [ '-m', 'time=#1:ns', put_file('a', '') ]);
};

subtest 'several files' => sub {
    my ($a, $b) = map { put_file("several$_", $_ ? "p,t\n-3,$rows[2][0]\n4,$rows[3][0]\n" : "t,p\n$rows[0][0],1.5\n$rows[1][0],2.25\n") } 0, 1;
    my $c = put_file('stdin.csv', "t,p\n$rows[3][0],5\n");
    loads('one day from two', undef, [ '-m', $map, $a, $b ], %files);
    loads('order of the files counts', undef, [ '-m', $map, $b, $a ], day_files($first, @rows[ 0, 2, 1 ]), day_files($second, $rows[3]));
    loads('and standard input', $c, [ '-m', $map, '-', $a, $b ], day_files($first, @rows[ 0 .. 2 ]), day_files($second, [ $rows[3][0], 5 ], $rows[3]));
};

subtest 'times' => sub {
    my @one = day_files($first, [ $T + 500_000_000, 1 ]);
    my %text = (
        s => DAY . '.5', ms => DAY . '500', us => DAY . '500000', ns => DAY . '500000000',
        rfc3339 => '2024-08-08T02:00:00.5+02:00',
    );
    for my $unit (sort keys %text) {
        loads($unit, undef, [ '-m', "time=#1:$unit,price=#2", put_file('a', "$text{$unit},1\n") ], @one);
    }
    loads('--origin', undef, [ '-m', 'time=#1:ms,price=#2', '--origin', '2024-08-07T19:00:00-05:00', put_file('a', "500,1\n") ], @one);
    loads('--origin name:', undef, [ '-m', 'time=#1:ms,price=#2', '-o', 'name:DD.MM.YYYYZ', put_file('08.08.2024.csv', "500,1\n") ], @one);
    my $huge = '9' x 18 . '.' . '9' x 30;
    refuses('a huge time', 1, qr/a:1: .*2000-2099/, '-m', 'time=#1:ns', put_file('a', "9223372036854775807\n"));
    refuses('a huger time', 1, qr/a:1: time '9+\.9+' is no time in s \(is its unit right\?\)$/m, '-m', 'time=#1:s', put_file('a', "$huge\n"));
    refuses('1999', 1, qr/a:2: .*2000-2099/, '-m', 'time=t:s', put_file('a', "t\n946684799\n"));
    refuses('2100', 1, qr/a:2: .*2000-2099/, '-m', 'time=t:s', put_file('a', "t\n4102444800\n"));
    my @unit = ('-m', 'time=#1:s,price=#2');
    refuses('ms as s', 1, qr/a:1: time '1738281600000' is no time in s \(is its unit right\?\)\n\z/, @unit, put_file('a', "1738281600000,1\n"));
    refuses('no zone', 1, qr/a:1: time '2025-01-31T07:22:01' is no time in rfc3339: its zone is missing/, '-m', 'time=#1:rfc3339', put_file('a', "2025-01-31T07:22:01\n"));
    loads('2099', undef, [ '-m', 'time=t:s', put_file('a', "t\n4102444799\n") ],
        'time.31.12.99.bin' => pack('V', 4102444799), 'nanos.31.12.99.bin' => pack('V', 0));
};

subtest 'types' => sub {
    my $uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
    my $map = "time=t:s,id=i,side=s,maker_order_id=u,a=f:f64,b=i8:i8,c=i:u16,n=\@row:u64,price=p";
    my $text = "t,i,s,u,f,i8,p\n" . DAY . ",7,true,$uuid,1e300,-1,1674100\n" . (DAY + 1) . ",8,0,$uuid,.1,127,1673300\n";
    my $hex = pack 'H*', $uuid =~ tr/-//dr;
    my $out = loads('all kinds', undef, [ '-m', $map, '--scale', 'price=0.0001', put_file('a', $text) ],
        "time.$first.bin" => pack('V*', DAY, DAY + 1), "nanos.$first.bin" => pack('V*', 0, 0),
        "id.$first.bin" => pack('Q<*', 7, 8), "side.$first.bin" => pack('V*', 1, 0), "maker_order_id.$first.bin" => $hex x 2,
        "a.$first.bin" => pack('d<*', 1e300, .1), "b.$first.bin" => pack('c*', -1, 127), "c.$first.bin" => pack('v*', 7, 8),
        "n.$first.bin" => pack('Q<*', 1, 2), "price.$first.bin" => pack('f<*', 167.41, 167.33));
    my @told = map { "$_->[0] is $_->[1], which tickd must be told: tickd -o type=x/Z/$_->[0]:$_->[1]\n" } [qw(a f64)], [qw(b i8)], [qw(c u16)], [qw(n u64)];
    is($out =~ s/\A.*\n//r, join('', @told), 'the types that the server does not take for granted are told');
    my @wide = ('-m', 'time=#1:s,price=#2:f64', put_file('a', DAY . ",1\n"));
    my @wide_files = ("time.$first.bin" => pack('V', DAY), "nanos.$first.bin" => pack('V', 0), "price.$first.bin" => pack('d<', 1));
    like(loads('f64', undef, \@wide, @wide_files), qr{^price is f64, .* tickd -o type=x/Z/price:f64$}m, 'as here');
    is(loads('f64, quiet', undef, [ '-q', @wide ], @wide_files), '', 'not with -q');
};

# Rows of several days in any order, with many at the same nanosecond, against Perl's stable sort.
subtest 'unsorted' => sub {
    for my $round (1 .. 3) {
        my $n = $slow ? 2000 : 20000;
        my @random = map { [ $T + int(rand 3 * 86400) * 1_000_000_000 + int(rand 2), $_ ] } 1 .. $n;
        @random = sort { $a->[0] <=> $b->[0] } @random if $round == 1;
        @random[ 10, 11 ] = @random[ 11, 10 ] if $round == 1;
        my %expected;
        for my $i (0 .. 2) {
            my $from = $T + $i * 86400 * 1_000_000_000;
            use sort 'stable';
            my @day = sort { $a->[0] <=> $b->[0] } grep { $_->[0] >= $from && $_->[0] < $from + 86400e9 } @random;
            %expected = (%expected, day_files(sprintf('%02d.08.24', 8 + $i), @day));
        }
        my $csv = put_file('a', join '', map { "$_->[0],$_->[1]\n" } @random);
        loads("round $round", undef, [ '-m', 'time=#1:ns,price=#2', $csv ], %expected);
    }
};

# More days at once than have rows in memory.
subtest 'many days' => sub {
    my (%day, $text);
    for my $i (1 .. 400) {
        my $d = $i * 37 % 100;
        my $ns = $T + ($d * 86400 + $i) * 1_000_000_000;
        my @date = gmtime($ns / 1e9);
        push @{ $day{ sprintf '%02d.%02d.%02d', $date[3], $date[4] + 1, $date[5] % 100 } }, [ $ns, $i ];
        $text .= "$ns,$i\n";
    }
    loads('interleaved', undef, [ '-m', 'time=#1:ns,price=#2', put_file('a', $text) ], map { day_files($_, @{ $day{$_} }) } keys %day);
};

subtest 'bad rows' => sub {
    my @bad = (
        [ 'no number', "$rows[1][0],abc", qr/price 'abc' is no decimal number/ ],
        [ 'empty field', "$rows[1][0],", qr/price '' is no decimal number/ ],
        [ 'nan', "$rows[1][0],nan", qr/price 'nan' is no/ ],
        [ 'too large', "$rows[1][0],1e39", qr/price '1e39' is out of the type's range/ ],
        [ 'no time', 'x,1', qr/time 'x' is no time in ns/ ],
        [ 'negative time', '-5,1', qr/time '-5' is no time in ns/ ],
        [ 'too few fields', $rows[1][0], qr/the row has 1 field, and the map needs #2/ ],
        [ 'too many fields', "$rows[1][0],1,2", qr/the row has 3 fields, not 2/ ],
        [ 'year 1970', '5,1', qr/2000-2099/ ],
        [ 'quote', qq($rows[1][0],"1"2), qr/something follows a closing quote/ ],
        [ 'open quote', qq($rows[1][0],"1), qr/a quoted field does not end/ ],
        [ 'NUL', "$rows[1][0],1\0", qr/price '1/ ],
        [ 'escape', "$rows[1][0],\e[31m", qr/price '\?\[31m'/ ],
        [ 'long field', "$rows[1][0]," . 'x' x 500, qr/price 'x{40}' is no/ ],
    );
    for (@bad) {
        my ($name, $line, $like) = @$_;
        my $csv = put_file('bad.csv', "t,p\n$rows[0][0],1.5\n$line\n$rows[3][0],4\n");
        refuses($name, 1, qr{^tickload: \S+/bad\.csv:3: .*$like}m, '-m', $map, $csv);
        my $data = new_data();
        my ($status, $out, $err) = run(undef, '-d', $data, @base, '-m', $map, '--skip-bad', $csv);
        is($status, 0, "$name: --skip-bad");
        like($err, qr{\Atickload: warning: \S+/bad\.csv:3: .*$like.*\(skipped\)\n\z}, "$name: reported");
        like($out, qr/: 2 rows .*; 1 bad row skipped; /, "$name: counted");
        is_deeply(tree($data), { day_files($first, $rows[0]), day_files($second, $rows[3]) }, "$name: the others are there");
    }
    my ($status, $out, $err) = run(undef, '-d', new_data(), @base, '-m', 'time=#1:s', '--skip-bad', put_file('a', "x\n" x 100 . DAY . "\n"));
    is(() = $err =~ /\(skipped\)/g, 20, 'many bad rows: twenty are told');
    like($out, qr/: 1 row in .*; 100 bad rows skipped/, 'many bad rows: all are counted');
    refuses('nothing but bad rows', 1, qr/^tickload: all 100 rows are bad: nothing was loaded\n\z/m, '-m', 'time=#1:s', '--skip-bad', put_file('a', "x\n" x 100));
    refuses('nothing but a bad row', 1, qr/^tickload: the only row is bad: nothing was loaded\n\z/m, '-m', 'time=#1:s', '--skip-bad', put_file('a', "x\n"));
    loads('no rows at all', undef, [ '-m', $map, '--skip-bad', put_file('a', "t,p\n") ]);
    refuses('a header line that is not expected', 1, qr/a:1: .*\n.*--skip-header/, '-m', 'time=#1:ns,price=#2', put_file('a', $plain));
};

subtest 'bad files' => sub {
    gzip(\$plain => \my $gz) or die $GzipError;
    gzip(\($T + 1 . ",1\n") => \my $gz_rows) or die $GzipError;
    my $long = join '', map { $T + $_ . ",$_\n" } 1 .. 100_000;
    gzip(\$long => \my $long_gz) or die $GzipError;
    substr($long_gz, length($long_gz) / 2, 16) = "\xff" x 16;
    refuses('no file', 1, qr{/none: No such file}, '-m', $map, "$tmp/none");
    refuses('directory', 1, qr{: Is a directory}, '-m', $map, "$tmp");
    refuses('no header', 1, qr{a:1: the header line has no 't', but '\d+', '1.5'; use #N}, '-m', $map, put_file('a', $plain =~ s/.*\n//r));
    refuses('header twice', 1, qr{a:1: the header line has more than one 'p'}, '-m', $map, put_file('a', "t,p,p\n"));
    refuses('empty', 1, qr{a:1: the file is empty}, '-m', $map, put_file('a', ''));
    refuses('half a gzip', 1, qr{a: the gzip data ends too early}, '-m', $map, put_file('a', substr $gz, 0, length($gz) - 10));
    refuses('more than a gzip', 1, qr{a: the gzip data ends at byte \d+, and something else follows$}m, '-m', $map, put_file('a', $gz . "junk\n"));
    loads('two gzips', undef, [ '-m', 'time=#1:ns,price=#2', put_file('a', $gz_rows x 2) ], day_files($first, map { [ $T + $_, 1 ] } 1, 1));
    loads('zeros behind a gzip', undef, [ '-m', $map, put_file('a', $gz . "\0" x 512) ], %files);
    refuses('damaged gzip', 1, qr{a(?:: damaged gzip data|:\d+: )}, '-m', 'time=#1:ns,price=#2', put_file('a', $long_gz));
    refuses('a good file, then none', 1, qr{/none: No such file}, '-m', $map, put_file('a', $plain), "$tmp/none");
    refuses('name without a date', 1, qr{a: the pattern of --origin does not fit}, '-m', 'time=#1:s', '-o', 'name:YYYYMMDDZ', put_file('a', ''));
    my ($status, $out, $err) = run(undef, '-d', "$tmp/nowhere", @base, '-m', $map, put_file('a', $plain));
    is("$status|$err", "1|tickload: $tmp/nowhere: No such file or directory\n", 'no DATA');
};

subtest 'usage' => sub {
    my $csv = put_file('a', $plain);
    my @bad = (
        [ [], qr/-m MAP/ ], [ [$csv], qr/-m MAP/ ], [ [ '-m', $map ], qr/FILE/ ],
        [ [ '-m', 'price=p', $csv ], qr/needs time/ ], [ [ '-m', 'time=t', $csv ], qr/needs a unit/ ],
        [ [ '-m', 'time=t:ns,a/b=c', $csv ], qr/no column name/ ], [ [ '-m', 'time=t:ns,a=b:f33', $csv ], qr/has no type/ ],
        [ [ '-m', $map, '--scale', 'x=1', $csv ], qr/not in the map/ ], [ [ '-m', $map, '--scale', 'price=0', $csv ], qr/factor above 0/ ],
        [ [ '-m', $map, '--delimiter', 'ab', $csv ], qr/one character/ ], [ [ '-m', $map, '--delimiter', '', $csv ], qr/one character/ ],
        [ [ '-m', $map, '--replace', '--append', $csv ], qr/do not go together/ ],
        [ [ '-m', $map, '-o', 'yesterday', $csv ], qr/--origin 'yesterday': give a time/ ],
        [ [ '-m', $map, '-o', 'name:YYYYMMDDZ', '-' ], qr/no name/ ],
        [ [ '-m', 'time=t:rfc3339', '-o', 'name:YYYYMMDDZ', $csv ], qr/RFC 3339/ ],
        [ [ '-m', $map, '-s', '../x', $csv ], qr{'\.\./x' cannot be the name of the symbol} ],
        [ [ '-m', $map, '-e', '', $csv ], qr{'' cannot be the name of the exchange} ],
        [ [ '-m', $map, '-t', '.x', $csv ], qr{'\.x' cannot be the name of the type} ],
        [ [ '--no-such', $csv ], qr/^tickload: unrecognized option '--no-such'$/m ],
    );
    refuses("'@{ $_->[0] }'", 2, qr/$_->[1].*^tickload: try 'tickload --help'$/ms, @{ $_->[0] }) for @bad;
    my ($status, $out, $err) = run(undef, '--help');
    is("$status|$err", '0|', '--help');
    like($out, qr/\AUsage: tickload -d DATA -e EXCHANGE -s SYMBOL -t TYPE -m MAP/, '--help helps');
    ($status, $out) = run(undef, '-V');
    like("$status $out", qr/\A0 tickload \(tickd\) \d+\.\d+\.\d+\n\z/, '--version');
};

subtest 'days that exist' => sub {
    my $data = new_data();
    my $csv = put_file('a', $plain);
    my $other = put_file('b', "t,q\n" . (NEXT + 5) . ",9\n" . (NEXT + 86400) . ",8\n");
    is((run(undef, '-d', $data, @base, '-m', $map, $csv))[0], 0, 'loaded');
    my ($status, $out, $err) = run(undef, '-d', $data, @base, '-m', 'time=t:s,volume=q', $other);
    is($status, 1, 'refused');
    like($err, qr{/b:2: the day 2024-08-09 exists already: say --replace or --append$}m, 'and why');
    is_deeply(tree($data), \%files, 'nothing has changed');
    ($status, $out, $err) = run(undef, '-d', $data, @base, '-m', 'time=t:s,volume=q', '--replace', $other);
    is("$status|$err", '0|', '--replace');
    my %third = ('10.08.24' => [ NEXT + 86400, 8 ], $second => [ NEXT + 5, 9 ]);
    my %new = map { ("time.$_.bin" => pack('V', $third{$_}[0]), "nanos.$_.bin" => pack('V', 0), "volume.$_.bin" => pack('f<', $third{$_}[1])) } keys %third;
    is_deeply(tree($data), { day_files($first, @rows[ 0 .. 2 ]), %new }, 'a day is replaced, with its columns; one is new; one stays');
    # Without time there is no day, whatever else there is.
    unlink "$data/$series/time.$first.bin";
    ($status, $out, $err) = run(undef, '-d', $data, @base, '-m', 'time=t:s,volume=q', put_file('c', "t,q\n" . DAY . ",1\n"));
    is("$status|$err", '0|', 'a day without time is none');
    ok(!-e "$data/$series/price.$first.bin", 'and its columns go');
};

subtest 'append' => sub {
    my $data = new_data();
    my $dir = "$data/$series";
    my @load = ('-d', $data, @base, '-m', $map);
    my $half = sub ($name, @some) { put_file($name, join '', "t,p\n", map { "$_->[0],$_->[1]\n" } @some) };
    my @more = ([ $T + 1_000_000_007, 7 ], [ $T + 2_000_000_000, 9 ], [ $T + 2_000_000_001, 10 ]);
    my $a = $half->('a', @rows[ 0 .. 2 ]);
    my $b = $half->('b', @more[ 0, 2, 1 ], $rows[3]);
    my %expected = (day_files($first, @rows[ 0 .. 2 ], @more), day_files($second, $rows[3]));
    is((run(undef, @load, '--append', $a))[0], 0, 'a new day');
    my $before = (stat "$dir/time.$first.bin")[1];
    is((run(undef, @load, '--append', $b))[0], 0, 'a day that exists, and a new one');
    is_deeply(tree($data), \%expected, 'the rows, sorted among themselves');
    is((stat "$dir/time.$first.bin")[1], $before, 'in place');

    my ($status, $out, $err) = run(undef, @load, '--append', $half->('c', $rows[0]));
    is($status, 1, 'earlier rows are refused');
    like($err, qr{/c:2: the time is before the last row}, 'and why');
    for my $bad ([ 'time=t:ns,volume=p', qr/column volume: No such file/ ], [ 'time=t:ns', qr/has a column price, and the map does not/ ],
        [ 'time=t:ns,price=p:f64', qr/price has 24 bytes for 6 rows; is it f64\?/ ]) {
        ($status, $out, $err) = run(undef, '-d', $data, @base, '-m', $bad->[0], '--append', $half->('c', $more[2]));
        is($status, 1, "$bad->[0]: refused");
        like($err, $bad->[1], "$bad->[0]: and why");
    }
    is_deeply(tree($data), \%expected, 'nothing has changed');

    # What an append leaves that was killed: longer columns, and half a record of time.
    for my $case ([ 'price' => 'xyz' ], [ 'nanos' => 'x' x 4000 ], [ 'price' => 'x' x 24 ], [ 'time' => 'x' ]) {
        my ($column, $garbage) = @$case;
        remove_tree("$data/x");
        run(undef, @load, $a);
        open my $file, '>>', "$dir/$column.$first.bin" or die $!;
        print $file $garbage;
        close $file;
        is((run(undef, @load, '--append', $b))[0], 0, length($garbage) . " bytes too many in $column");
        is_deeply(tree($data), \%expected, 'are cut');
    }
    # A day of no rows.
    remove_tree("$data/x");
    make_path($dir);
    open my $file, '>', "$dir/time.$first.bin" or die $!;
    close $file;
    is((run(undef, @load, '--append', $b))[0], 0, 'to a day of no rows');
    is_deeply(tree($data), { day_files($first, @more), day_files($second, $rows[3]) }, 'they are there');
    # A column of another type is no leftover.
    my @thousand = map { [ $T + $_, $_ ] } 1 .. 1000;
    remove_tree("$data/x");
    run(undef, '-d', $data, @base, '-m', 'time=t:ns,price=p:f64', $half->('k', @thousand));
    my $kept = tree($data);
    ($status, $out, $err) = run(undef, @load, '--append', $b);
    is($status, 1, 'f32 after f64: refused');
    like($err, qr/price has 8000 bytes for 1000 rows; is it f32\?/, 'and why');
    is_deeply(tree($data), $kept, 'nothing has changed');
};

subtest 'locks and leftovers' => sub {
    my $data = new_data();
    my $dir = "$data/$series";
    my $csv = put_file('a', $plain);
    make_path($dir);
    sysopen my $handle, $dir, O_RDONLY or die $!;
    flock $handle, LOCK_EX or die $!;
    my ($status, $out, $err) = run(undef, '-d', $data, @base, '-m', $map, $csv);
    is($status, 1, 'a locked series is refused');
    like($err, qr{\Atickload: x/Y/Z is locked: }, 'and why');
    ok(-d $dir, 'and left alone');
    close $handle;
    for my $name (".price.$first.bin.tmp", ".other.$first.bin.tmp", '.time.01.01.24.bin.tmp', '.keep', 'keep.tmp') {
        open my $file, '>', "$dir/$name" or die $!;
        print $file 'x' x 100;
    }
    is((run(undef, '-d', $data, @base, '-m', $map, $csv))[0], 0, 'over leftovers');
    is_deeply(tree($data), { %files, '.keep' => 'x' x 100, 'keep.tmp' => 'x' x 100 }, 'which are gone, and nothing else is');

    pipe my $in, my $feed or die $!;
    my $pid = fork // die $!;
    if (!$pid) {
        open STDIN, '<&', $in;
        open STDERR, '>', "$tmp/stderr";
        close $feed;
        exec @wrapper, $tickload, '-d', $data, @base, '-m', $map, '--replace', '-';
    }
    close $in;
    # More than it keeps in memory, so that there is something to sweep.
    my $more = join '', "t,p\n", map { $T + $_ . ",$_\n" } 1 .. 100_000;
    syswrite $feed, $more;
    ok(Tickd::wait_for(10, sub { -e "$dir/.time.$first.bin.tmp" }), 'it writes aside');
    kill TERM => $pid;
    close $feed;
    waitpid $pid, 0;
    is($?, 256, 'a signal ends it');
    is_deeply(tree($data), { %files, '.keep' => 'x' x 100, 'keep.tmp' => 'x' x 100 }, 'with nothing changed and nothing left');
};

# Whether the day is what ${files} says, all of it.
sub day_is ($tree, $day, $files) {
    my $pick = sub ($from) { join "\0", map { "$_=$from->{$_}" } grep { /\A[^.].*\Q.$day.\E/ } sort keys %$from };
    return $pick->($tree) eq $pick->($files);
}

# Kill ${runs} runs, the Nth as soon as READY(N, SECONDS) is true.
sub kill_runs ($runs, $prepare, $ready, $check, @args) {
    for my $i (1 .. $runs) {
        $prepare->();
        my ($pid, $started, $ended) = (start(undef, @args), time);
        until ($ready->($i, time - $started) || $ended) {
            $ended = waitpid($pid, POSIX::WNOHANG()) == $pid;
        }
        kill KILL => $pid if !$ended;
        waitpid $pid, 0 if !$ended;
        $check->();
    }
    return;
}

subtest 'killed while it replaces' => sub {
    my $data = new_data();
    my @days = map { sprintf '%02d.09.24', $_ } 1 .. 8;
    my @text = ("t,p\n", "t,q\n");
    for my $d (0 .. $#days) {
        for my $kind (0, 1) {
            $text[$kind] .= join '', map { 1725148800 + $d * 86400 + $_ * 7 + $kind . ',' . ($_ + $kind * 1000) . "\n" } 1 .. 50 + $d;
        }
    }
    my @csv = map { put_file("kind$_", $text[$_]) } 0, 1;
    my @load = map { [ '-q', '-d', $data, @base, '-m', $_ ? 'time=t:s,volume=q' : 'time=t:s,price=p', '--replace', $csv[$_] ] } 0, 1;
    run(undef, @{ $load[1] });
    my $new = tree($data);
    run(undef, @{ $load[0] });
    my $old = tree($data);
    my %seen = (old => 0, none => 0, new => 0, leftovers => 0);
    my @wrong;
    # While the temporary files come, one after another, and then while they go.
    my ($files, $all) = (3 * @days, 0);
    my $ready = sub ($i, $) {
        opendir my $handle, "$data/$series" or return 0;
        my $temps = grep { /\A\..*\.tmp\z/ } readdir $handle;
        $all ||= $temps == $files;
        return $i <= $files ? $temps >= $i : $all && $temps < 2 * $files - $i;
    };
    kill_runs(2 * $files, sub { make_tree($data, $old); $all = 0 }, $ready, sub {
        my $now = tree($data);
        for my $day (@days) {
            my $is = !exists $now->{"time.$day.bin"} ? 'none' : day_is($now, $day, $old) ? 'old' : day_is($now, $day, $new) ? 'new' : 'a mixture';
            $seen{$is}++;
            push @wrong, "$day is $is" if $is eq 'a mixture';
        }
        push @wrong, grep { !/\A[a-z]+\.\d\d\.09\.24\.bin\z/ && !/\A\.[a-z]+\.\d\d\.09\.24\.bin\.tmp\z/ } keys %$now;
        $seen{leftovers}++ if grep { /\A\./ } keys %$now;
    }, @{ $load[1] });
    is_deeply(\@wrong, [], 'each day is old, none or new');
    note join ', ', map { "$seen{$_} $_" } sort keys %seen;
    run(undef, @{ $load[1] });
    is_deeply(tree($data), $new, 'the next run makes all of it new, and sweeps');
};

subtest 'killed while it appends' => sub {
    my $data = new_data();
    my @part = map { my $k = $_; put_file("part$k", join '', "t,p\n", map { DAY + $_ . ",$_\n" } $k * 5000 + 1 .. $k * 5000 + 5000) } 0, 1;
    my @load = ('-q', '-d', $data, @base, '-m', 'time=t:s,price=p');
    my $both = new_data();
    run(undef, '-d', $both, @base, '-m', 'time=t:s,price=p', @part);
    my $all = tree($both);
    my @wrong;
    my %seen = (old => 0, some => 0, new => 0, longer => 0);
    run(undef, @load, $part[0]);
    my $old = tree($data);
    my $started = time;
    run(undef, @load, '--append', $part[1]);
    my ($takes, $runs) = (time - $started, $slow ? 10 : 40);
    my $ready = sub ($i, $seconds) { $seconds >= 1.5 * $takes * $i / $runs };
    kill_runs($runs, sub { make_tree($data, $old) }, $ready, sub {
        my $now = tree($data);
        my $rows = length($now->{"time.$first.bin"}) / 4;
        $seen{ $rows == 5000 ? 'old' : $rows == 10000 ? 'new' : 'some' }++;
        push @wrong, "$rows rows" if $rows < 5000 || $rows > 10000;
        for my $column (qw(time nanos price)) {
            my $got = $now->{"$column.$first.bin"};
            push @wrong, "$column at $rows rows" if substr($got, 0, int($rows) * 4) ne substr($all->{"$column.$first.bin"}, 0, int($rows) * 4);
            $seen{longer}++ if length($got) > $rows * 4;
        }
        return if $rows != 5000;
        run(undef, @load, '--append', $part[1]);
        push @wrong, 'is not repaired' if !eq_hash(tree($data), $all);
    }, @load, '--append', $part[1]);
    is_deeply(\@wrong, [], 'a reader finds the rows of before or after, and the next append mends the rest');
    note join ', ', map { "$seen{$_} $_" } sort keys %seen;
};

# What stands between .Bd and .Ed in the manual, as a shell would get it pasted.
sub examples () {
    my ($text) = get_file(source() . '/man/tickload.1') =~ /^\.Sh EXAMPLES\n(.*?)^\.Sh /ms or die 'no examples';
    return map { s/\\e/\\/gr } $text =~ /^\.Bd [^\n]*\n(.*?)^\.Ed$/msg;
}

subtest 'the examples of the manual' => sub {
    my $home = "$tmp/examples";
    make_path("$home/bin", "$home/data");
    my $command = join ' ', map { "'$_'" } @wrapper, $tickload;
    my %text = (
        'bin/tickload' => qq(#!/bin/sh\nexec $command "\$@"\n),
        'bin/recorder' => "#!/bin/sh\necho 2024-08-08T00:00:00Z,1,2\n",
        '20240808_trade.csv.gz' => 'local_ns,trade_id,price,qty,buyer_is_maker' . "\n$T,7,1.5,2,true\n",
        '20140501_quote.csv.gz' => "14400464,1.38,1.39\n",
        '20131007_trade.csv.gz' => "34200000,1674100,100\n",
    );
    for my $name (keys %text) {
        my $path = put_file("examples/$name", $text{$name});
        chmod 0755, $path or die "$path: $!";
    }
    my @examples = examples();
    cmp_ok(scalar @examples, '>', 3, 'there are some');
    for my $example (@examples) {
        put_file('examples/script', $example);
        my $said = qx(cd '$home' && PATH='$home/bin':"\$PATH" sh -e script 2>&1);
        is($?, 0, 'works') or diag $example;
        like($said, qr{\A\w+/[\w-]+/\w+: 1 row in 1 day, \S+; [^\n]*\n\z}, 'and loads');
    }
};

subtest 'real ticks' => sub {
    my $real = $ENV{TICKD_TEST_DATA} // source() . '/../shared/data';
    my $ticks = "$real/ticks";
    plan skip_all => "no real ticks under $ticks (set TICKD_TEST_DATA)" if !-d $ticks;
    my $data = new_data();
    my @calls;
    for my $path (sort glob "$ticks/binance/*/*") {
        my ($venue, $symbol) = $path =~ m{([^/]+)/([^/]+)\z};
        my @to = ('-e', "binance_$venue", '-s', uc $symbol);
        push @calls, [ @to, '-t', 'TRADES', '-m', 'time=local_ns:ns,id=trade_id:u64,price=price,volume=qty,side=buyer_is_maker:u32', sort glob "$path/*_trade.csv.gz" ];
        push @calls, [ @to, '-t', 'QUOTES', '-m', 'time=local_ns:ns,best_bid=bid,best_ask=ask', sort glob "$path/*_bookticker.csv.gz" ];
    }
    push @calls, [ '-e', 'fxcm', '-s', 'EURUSD', '-t', 'QUOTES', '-m', 'time=#1:ms,best_bid=#2,best_ask=#3', '-o', 'name:YYYYMMDD-05:00', sort glob "$ticks/lean-forex/fxcm/eurusd/*" ];
    push @calls, [ '-e', 'usa', '-s', 'SPY', '-t', 'TRADES', '-m', 'time=#1:ms,id=@row,price=#2,volume=#3', '--scale', 'price=0.0001', '-o', 'name:YYYYMMDD-04:00', sort glob "$ticks/lean-us-equity/usa/spy/*" ];
    for (@calls) {
        my ($status, $out, $err) = run(undef, '-d', $data, @$_);
        is("$status|$err", '0|', "@{$_}[1, 3, 5]");
    }
    open my $manifest, '<', "$real/MANIFEST.tsv" or die "MANIFEST.tsv: $!";
    scalar <$manifest>;
    my ($same, @wrong) = (0);
    while (<$manifest>) {
        chomp;
        my ($path, $rows, $bytes, $sum) = split /\t/;
        next if $path =~ m{/SPY/TRADES/side\.};
        my $got = get_file("$data/$path") // '';
        Digest::SHA::sha256_hex($got) eq $sum ? $same++ : push @wrong, $path;
    }
    is_deeply(\@wrong, [], "$same files are those of the manifest");
    cmp_ok($same, '>', 100, 'and they are many');
};

done_testing;
