#!/usr/bin/perl
# What the documents say is tried: the README's programs read an answer, the manual pages are sound
# and name every option, and what tickd-http(7) and tickd-migrate(7) show is what happens.

use v5.26;
use warnings;
use File::Find;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_day write_file midnight OLD);

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

my $python = python('numpy');

# program(LANGUAGE, N): the README's code block, the N-th in it.
sub program {
    my ($language, $n) = @_;
    my @code = $readme =~ /^```$language\n(.*?)^```/msg;
    return $code[ $n - 1 ] // die "README has no $language $n";
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
    is(run_command(30, build() . '/tickgen', '-d', "$home", '--days', 2, '--symbols', 1, '--rows-per-day', 2000)->{status}, 0, 'data as that of the demo');
    my $server = Tickd->start(data => "$home", workers => 1);
    my ($query) = $readme =~ /`(symbol=\S+)`/ or die "README has no query\n";
    my $target = "/api/data?$query";
    my $raw = parse_raw($server->get($target)->{body});
    my $rows = $raw->{json}{columns}[0]{num_records};
    my $last = unpack 'V', substr $raw->{data}{time}, -4;
    my $price = sprintf "%.4f", unpack "f<", $raw->{data}{price};
    my $url = 'http://127.0.0.1:' . $server->port . $target;

    SKIP: {
        $python or skip 'no numpy for Python 3', 1;
        my $code = "url = '$url'\n" . program('python', 1)
            . 'print(len(columns["time"]), columns["time"][-1], "%.4f" % columns["price"][0])' . "\n";
        is(output($python, 'a.py', $code), "$rows $last $price\n", 'Python');
    }
    SKIP: {
        my $pandas = python(qw(numpy pandas)) or skip 'no numpy and pandas for Python 3', 1;
        local $ENV{PYTHONPATH} = source() . '/contrib';
        my $code = program('python', 2) =~ s{http://127\.0\.0\.1:\K8080}{$server->port}er
            . 'print(len(frame), frame.index[-1].value // 10**9, "%.4f" % frame["price"].iloc[0])' . "\n";
        is(output("$pandas -B", 'a.py', $code), "$rows $last $price\n", 'Python, with contrib/tickd.py');
    }
    SKIP: {
        have('node -e "process.exit(typeof fetch === \'function\' ? 0 : 1)"') or skip 'no Node.js with fetch', 1;
        my $code = "const url = '$url';\n" . program('javascript', 1)
            . "console.log(columns.time.length, columns.time.at(-1), columns.price[0].toFixed(4));\n";
        is(output('node', 'a.mjs', $code), "$rows $last $price\n", 'JavaScript');
    }
    $server->stop_ok;
};

# literal(PAGE): the blocks of a manual page that are shown as they are, without escapes.
sub literal {
    my ($page) = @_;
    my %plain = ('\e' => '\\', '\(aq' => "'", '\-' => '-', '\&' => '');
    return map { s/(\\(?:\(aq|.))/$plain{$1} \/\/ die "what is $1?"/ger }
        slurp(source() . "/man/$page") =~ /^\.Bd -literal\n(.*?)^\.Ed$/msg;
}

# examples(PAGE): [command, what it prints], in order: "$ " begins a command, "> " continues it.
sub examples {
    my ($page) = @_;
    my @examples;
    for my $line (map { split /^/ } grep { /\A\$ / } literal($page)) {
        if ($line =~ s/\A\$ //) { push @examples, [ $line, '' ] }
        elsif ($line =~ s/\A> //) { $examples[-1][0] .= $line }
        else { $examples[-1][1] .= $line }
    }
    return @examples;
}

# run_examples(DIRECTORY, EXAMPLES...): one after another in one shell, as somebody would type them.
# "cat FILE" shows a file that is to be made. Lines may be folded, and "..." stands for anything.
sub run_examples {
    my ($dir, @examples) = @_;
    my ($script, @shown) = 'export LC_ALL=C; cd ' . quotemeta($dir) . "\n";
    for my $example (@examples) {
        my ($command, $expected) = @$example;
        if ($command =~ /\Acat (\w+\.\w+)\n\z/) {
            write_file("$dir/$1", $expected);
            next;
        }
        push @shown, $example;
        $script .= "{\n$command} 2>&1; printf '\\1%d\\2' \$?\n";
    }
    write_file("$dir/script", $script);
    local $ENV{PATH} = build() . ":$ENV{PATH}";
    my @printed = run_command(60, 'bash', "$dir/script")->{out} =~ /(.*?)\x01(\d+)\x02/gs;
    for my $example (@shown) {
        my ($command, $expected) = @$example;
        my ($printed, $status) = splice @printed, 0, 2;
        my $pattern = join '.*?', map { quotemeta s/\s+//gr } split /\.\.\./, $expected, -1;
        my $ok = defined $printed && $status == 0 && $printed =~ s/\s+//gr =~ /\A$pattern\z/s;
        ok($ok, $command =~ s/\n\z//r) or diag 'ended with ' . ($status // 'nothing') . ' and printed: ' . ($printed // '');
    }
    return;
}

# age(DIRECTORY): as if its files had not changed for long.
sub age {
    my ($dir) = @_;
    find({ no_chdir => 1, wanted => sub { utime OLD, OLD, $_ if -f } }, $dir);
    return;
}

# members(JSON, PATH): which members there are at any depth, each once; those of a list's first item stand for all.
sub members {
    my ($json, $path) = @_;
    return @$json ? members($json->[0], "$path\[]") : $path if ref $json eq 'ARRAY';
    return ref $json eq 'HASH' ? map { members($json->{$_}, "$path.$_") } sort keys %$json : $path;
}

# try_page(PAGE): run its examples, the first of which make data and start a server.
sub try_page {
    my ($page) = @_;
    my @examples = examples($page);
    my ($start) = grep { $examples[$_][0] =~ /\Atickd / } 0 .. $#examples;
    is($start && $examples[$start][0], "tickd -f -d demo &\n", 'there are some, of a server') or return;
    my $dir = scratch();
    run_examples("$dir", @examples[0 .. $start - 1]);
    age("$dir/demo");
    my $server = Tickd->start(data => "$dir/demo", admin => "unix:$dir/admin");
    my ($port, $admin) = ($server->port, "--unix-socket $dir/admin");
    for my $example (@examples) {
        $example->[0] =~ s/127\.0\.0\.1:8080/127.0.0.1:$port/;
        $example->[0] =~ s{(?=http://127\.0\.0\.1:9091)}{$admin };
        $example->[0] =~ s/\bpython3\b/$python/;
    }
    run_examples("$dir", @examples[$start + 1 .. $#examples]);
    $server->stop_ok;
    return;
}

for my $page (qw(tickd-http.7 tickd-migrate.7)) {
    subtest "examples of $page" => sub {
        plan skip_all => 'no jq' if !have('jq --version');
        plan skip_all => 'no numpy for Python 3' if !$python;
        try_page($page);
    };
}

subtest 'JSON that tickd-http(7) shows' => sub {
    my $home = scratch();
    my $from = midnight('2025-01-01') + 36000;
    write_day("$home", $_, '2025-01-01', { time => [ $from, $from + 1 ], best_bid => [ 1, 2 ] })
        for 'coinbase/BTC-USD/MD', 'binance/BTCUSDT/MD';
    my @blocks = grep { /\A\s*["{]/ } literal('tickd-http.7');
    my ($described) = grep { /"tags"/ } @blocks;
    my $symbols = scratch();
    write_file("$symbols/coinbase.json", $described);
    my $server = Tickd->start(data => "$home", workers => 1, options => ["symbols_dir=$symbols"]);
    my $series = 'symbol=BTC-USD&type=MD';
    my @targets = ("/api/data?$series&columns=time,best_bid&start=2025-01-01&end=2025-01-01", '/api/symbols',
        '/api/symbols?details=1&exchange=coinbase', '/api/symbol-search?q=bitcoin', '', '/api/status', "/api/coverage?$series");
    is(scalar @blocks, scalar @targets, 'there are as many as are looked at');
    for my $at (grep { $targets[$_] ne '' } 0 .. $#targets) {
        my $shown = $blocks[$at] =~ s/"\.\.\."/""/gr =~ s/\{\.\.\.\}/{"last_update":0,"last_update_date":""}/gr =~ s/\.\.\./0/gr;
        my $json = decode_json($shown =~ /\A\s*"/ ? "{$shown}" : $shown);
        my $real = decode_json($server->get($targets[$at])->{body} =~ s/\n.*//sr);
        delete @$real{qw(symbols exchanges)} if $targets[$at] =~ /details/;
        is(join("\n", members($real, '')), join("\n", members($json, '')), $targets[$at]);
    }
    my $found = decode_json($server->get('/api/symbol-search?q=bitcoin')->{body});
    is($found->{results}[0]{display_name}, decode_json($described)->{'BTC-USD'}{display_name}, 'the description is taken');
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
    my $migrate = slurp(source() . '/man/tickd-migrate.7');
    my %option = map { $_ => 1 } @options;
    my @named = map { split / , / } $migrate =~ /^\.It .* Ta Cm (.*)$/mg;
    ok(@named > 10, 'tickd-migrate.7 names options');
    is(join(' ', grep { !$option{$_} } @named), '', 'all of them are there');
    my @counters = slurp(source() . '/include/system/counters.def') =~ /^[A-Z]+\((\w+), /mg;
    ok(@counters > 20, 'there are counters');
    my $manual = slurp(build() . '/man/tickstat.1');
    is(join(' ', grep { $manual !~ /^\.It Ic \Q$_\E$/m } @counters), '', 'tickstat(1) has all of them');
    my ($home, $dir) = (scratch(), scratch());
    sample("$home");
    my $server = Tickd->start(data => "$home", workers => 1, admin => "unix:$dir/admin");
    my $metrics = $server->connect("unix:$dir/admin")->get('/metrics')->{body};
    @named = map { split / , / } $migrate =~ /^\.It .* Ta Ic (.*)$/mg;
    ok(@named > 10, 'tickd-migrate.7 names metrics');
    is(join(' ', grep { $metrics !~ /^# TYPE \Q$_\E /m } @named), '', 'all of them are there');
    $server->stop_ok;
};

done_testing;
