#!/usr/bin/perl
# What the documents say is tried: the README's programs read an answer, the manual pages are sound
# and name every option.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample);

my $readme = slurp(source() . '/README.md');

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!";
    local $/;
    return scalar <$file>;
}

sub have {
    my ($command) = @_;
    return system("$command >/dev/null 2>&1") == 0;
}

# program(LANGUAGE): the README's code block.
sub program {
    my ($language) = @_;
    my ($code) = $readme =~ /^```$language\n(.*?)^```/ms or die "README has no $language";
    return $code;
}

# output(COMMAND, FILE, CODE): what COMMAND prints when it runs CODE.
sub output {
    my ($command, $name, $code) = @_;
    my $dir = scratch();
    open my $file, '>', "$dir/$name" or die $!;
    print {$file} $code;
    close $file;
    return scalar `$command $dir/$name 2>&1`;
}

subtest 'the programs of the README' => sub {
    my $home = scratch();
    sample("$home");
    my $server = Tickd->start(data => "$home", workers => 1);
    my $target = '/api/data?symbol=BTC-USD&type=MD&columns=id,time,price&start=2025-01-01&end=2025-01-07';
    my $raw = parse_raw($server->get($target)->{body});
    my $rows = $raw->{json}{columns}[0]{num_records};
    my $last = unpack 'V', substr $raw->{data}{time}, -4;
    my $price = sprintf "%.4f", unpack "f<", $raw->{data}{price};
    my $url = 'http://127.0.0.1:' . $server->port . $target;

    SKIP: {
        have('python3 -c "import numpy"') or skip 'no numpy for Python 3', 1;
        my $code = "url = '$url'\n" . program('python')
            . 'print(len(columns["time"]), columns["time"][-1], "%.4f" % columns["price"][0])' . "\n";
        is(output('python3', 'a.py', $code), "$rows $last $price\n", 'Python');
    }
    SKIP: {
        have('node -e "process.exit(typeof fetch === \'function\' ? 0 : 1)"') or skip 'no Node.js with fetch', 1;
        my $code = "const url = '$url';\n" . program('javascript')
            . "console.log(columns.time.length, columns.time.at(-1), columns.price[0].toFixed(4));\n";
        is(output('node', 'a.mjs', $code), "$rows $last $price\n", 'JavaScript');
    }
    $server->stop_ok;
};

subtest 'manual pages' => sub {
    my @pages = (glob(source() . '/man/*.[1578]'), map { build() . "/man/$_" } qw(tickd.8 tickd.conf.5 tickstat.1));
    SKIP: {
        have('mandoc -T lint /dev/null; command -v mandoc') or skip 'no mandoc', scalar @pages;
        for my $page (@pages) {
            # What is installed beside them is no fault of theirs.
            my @faults = grep { !/referenced manual not found|outdated mandoc\.db|lacks .* entry/ } `mandoc -T lint $page 2>&1`;
            is("@faults", '', $page =~ s{.*/}{}r . ' is without faults');
        }
    }
    my @options = run_tickd(10, '-h')->{out} =~ /^  (\w+)=/mg;
    ok(@options > 20, 'tickd -h lists options');
    for my $page (qw(tickd.8 tickd.conf.5)) {
        my $manual = slurp(build() . "/man/$page");
        is(join(' ', grep { $manual !~ /^\.It Ic \Q$_\E /m } @options), '', "$page has all of them");
        my @long = grep { length > 80 && !/^\.It / } split /\n/, $manual;
        is("@long", '', "$page has no line of more than 80 bytes");
    }
    my @counters = slurp(source() . '/include/system/counters.def') =~ /^[A-Z]+\((\w+), /mg;
    ok(@counters > 20, 'there are counters');
    my $manual = slurp(build() . '/man/tickstat.1');
    is(join(' ', grep { $manual !~ /^\.It Ic \Q$_\E$/m } @counters), '', 'tickstat(1) has all of them');
};

done_testing;
