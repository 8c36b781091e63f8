#!/usr/bin/perl
# GET /api/symbols: what is on disk, as it comes and goes; and who looks at the disk for it.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use JSON::PP;
use List::Util qw(sum0);
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_day write_file read_file day_in_file iso_of);
use Tickd::Http qw(url);
use Tickd::Trace qw(traceable traced);
use Time::HiRes ();

my $home = scratch();
my $data = "$home/data";
make_path($data);
sample($data);
write_day($data, 'coinbase/ETH-USD/MD', '2024-02-29', { time => [1709164800] });
write_day($data, 'coinbase/ETH-USD/TRADES', '2025-03-01', { time => [1740787200] });
write_day($data, 'binance/BTC-USD/TRADES', '2025-01-05', { time => [] });
write_day($data, 'binance/ETHBTC/MD', '2025-01-05', { price => [1] });    # no time: no day
make_path("$data/binance/EMPTY", "$data/binance/BARE/MD", "$data/bare", "$data/.hidden/X/MD", "$data/lost+found/X/MD",
    "$data/coinbase/\@gen/MD", "$home/outside/SECRET/MD");
write_file("$data/coinbase/FILE", 'x');
write_file("$data/file", 'x');
symlink "$home/outside", "$data/outside" or die $!;
symlink "$home/outside/SECRET", "$data/coinbase/OUT" or die $!;
symlink 'BTC-USD', "$data/coinbase/ALIAS" or die $!;

# Without openat2(2) a server follows no link; not every wrapper has it.
my $openat2 = 'my ($path, $how) = ("/", pack "QQQ", 010000000, 0, 0); exit(syscall(437, -100, $path, $how, length $how) < 0)';
my $links = run_command(20, (split ' ', $ENV{TICKD_WRAPPER} // ''), $^X, '-e', $openat2)->{status} eq '0';

# names(PATH): the directories that can be asked for, as a server without links out of DATA sees them.
sub names ($path) {
    opendir my $dir, $path or return ();
    return sort grep { /\A[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,63}\z/ && !/\.\./ && -d "$path/$_" && !(-l "$path/$_" && (!$links || readlink("$path/$_") =~ m{\A/})) } readdir $dir;
}

# expected(EXCHANGE or undef, DETAILS)
sub expected ($only, $details) {
    my %exchanges = map { $_ => [ names("$data/$_") ] } grep { !defined $only || $_ eq $only } names($data);
    my %unique = map { $_ => 1 } map { @$_ } values %exchanges;
    my $expected = { symbols => [ sort keys %unique ], exchanges => \%exchanges };
    return $expected if !$details;
    for my $exchange (keys %exchanges) {
        $expected->{details}{$exchange} = {};
        for my $symbol (@{ $exchanges{$exchange} }) {
            my @types = names("$data/$exchange/$symbol");
            my @days = sort { $a <=> $b } map { my ($c, $d) = day_in_file(s{.*/}{}r); defined $c && $c eq 'time' ? $d : () }
                map { glob "$data/$exchange/$symbol/$_/*" } @types;
            $expected->{details}{$exchange}{$symbol} = {
                types => \@types, first_day => @days ? iso_of($days[0]) : undef, last_day => @days ? iso_of($days[-1]) : undef,
            };
        }
    }
    $expected->{details} //= {};
    return $expected;
}

my ($server, $http);

sub right ($name, $only = undef, $details = undef) {
    my $r = $http->get(url('/api/symbols', exchange => $only, details => $details));
    is($r->{status}, 200, "$name: 200") or return diag $r->{error} // $r->{body};
    is($r->{framing}, 'length', "$name: with Content-Length");
    like($r->{headers}{'content-type'}, qr{\Aapplication/json}, "$name: JSON");
    is_deeply(eval { decode_json($r->{body}) }, expected($only, $details), "$name: as on disk") or diag $r->{body};
    return $r;
}

sub with_server ($refresh, $code, @options) {
    $server = Tickd->start(data => $data, workers => 2, options => [ "catalog_refresh=$refresh", @options ]);
    $http = $server->connect;
    $code->();
    $server->stop_ok;
}

with_server(0, sub {
    subtest 'what is there' => sub {
        my $r = right('all');
        my $json = decode_json($r->{body});
        is_deeply($json->{exchanges}{coinbase}, [ $links ? 'ALIAS' : (), qw(BTC-USD ETH-USD) ], 'by hand');
        is_deeply($json->{exchanges}{bare}, [], 'an exchange without symbols');
        right('one exchange', 'binance');
        right('details', undef, 1);
        right('details of one', 'coinbase', 1);
        right('details=0', 'coinbase', 0);
        is($http->get('/api/symbols?exchange=none')->{body}, qq({"symbols":[],"exchanges":{}}\n), 'an unknown exchange');
        my $head = $http->request('HEAD', '/api/symbols');
        is($head->{headers}{'content-length'}, length $http->get('/api/symbols')->{body}, 'HEAD');
        is($http->request('OPTIONS', '/api/symbols')->{status}, 204, 'OPTIONS');
        is_error($http->get('/api/symbols?exchange=..'), 400, 'exchange', 'no name');
        is_error($http->get('/api/symbols?details=2'), 400, 'details', 'details=2');
        is_error($http->get('/api/symbols?symbol=X'), 400, 'symbol', 'an unknown parameter');
        is_error($http->get('/api/symbols?exchange=a&exchange=b'), 400, 'exchange', 'twice');
        is($http->get('/api/symbols?_=1')->{status}, 200, 'a cache-buster');
        is_error($http->request('POST', '/api/symbols'), 405, undef, 'POST');
    };
    subtest 'coming and going' => sub {
        for my $step (
            [ 'a symbol', sub { write_day($data, 'coinbase/NEW-USD/MD', '2025-01-05', { time => [1] }) } ],
            [ 'a day', sub { write_day($data, 'coinbase/NEW-USD/MD', '2025-01-06', { time => [1] }) } ],
            [ 'a type', sub { write_day($data, 'coinbase/NEW-USD/TRADES', '2025-01-07', { time => [1] }) } ],
            [ 'an exchange', sub { write_day($data, 'kraken/XBTUSD/MD', '2025-01-06', { time => [1] }) } ],
            [ 'another name', sub { rename "$data/kraken", "$data/kraken2" or die $! } ],
            [ 'a type less', sub { remove_tree("$data/coinbase/NEW-USD/MD") } ],
            [ 'a symbol less', sub { remove_tree("$data/coinbase/NEW-USD") } ],
            [ 'an exchange less', sub { remove_tree("$data/kraken2") } ],
        ) {
            $step->[1]->();
            right($step->[0]);
            right("$step->[0], details", undef, 1);
        }
    };
    subtest 'DATA goes and comes back' => sub {
        rename $data, "$home/away" or die $!;
        is_error($http->get('/api/symbols'), 503, undef, 'it is away');
        mkdir $data or die $!;
        is_error($http->get('/api/symbols'), 503, undef, 'an empty directory is there instead');
        rmdir $data or die $!;
        rename "$home/away", $data or die $!;
        right('it is back');
    };
});

# Old directories are not read again.
system('find', $data, '-type', 'd', '-exec', 'touch', '-d', '2024-01-01', '{}', '+') == 0 or die;

with_server('1s', sub {
    subtest 'no answer is older than catalog_refresh' => sub {
        right('before');
        write_day($data, 'coinbase/LATE-USD/MD', '2025-01-05', { time => [1] });
        ok(wait_for(10, sub { $http->get('/api/symbols')->{body} =~ /LATE-USD/ }), 'it appears');
        right('after');
        remove_tree("$data/coinbase/LATE-USD");
        ok(wait_for(10, sub { $http->get('/api/symbols')->{body} !~ /LATE-USD/ }), 'and goes');
        right('details', undef, 1);
    };
    subtest 'while requests run' => sub {
        my @clients = map { $server->connect } 1 .. 8;
        my ($wrong, $answers) = ('', 0);
        for my $round (1 .. 40) {
            my $path = "$data/coinbase/R$round-USD/MD";
            make_path($path);
            remove_tree("$data/coinbase/R" . ($round - 5) . '-USD') if $round > 5;
            $_->send("GET /api/symbols?details=" . $round % 2 . " HTTP/1.1\r\nHost: x\r\n\r\n") for @clients;
            for (@clients) {
                my $r = $_->response;
                my $json = eval { decode_json($r->{body}) };
                $answers++ if $json;
                $wrong .= ($r->{error} // "status $r->{status}") . "\n" if $r->{error} || $r->{status} != 200 || !$json;
            }
            select undef, undef, undef, 0.05;
        }
        is($wrong, '', "$answers answers, all whole");
        remove_tree("$data/coinbase/R$_-USD") for 1 .. 40;
    };
});

with_server(0, sub {
    my $json = decode_json($http->get('/api/symbols')->{body});
    my $count = 0;
    $count += @$_ for values %{ $json->{exchanges} };
    is($count, 3, 'max_symbols are listed');
    like($server->log_text, qr/max_symbols/, 'and the log says so');
}, 'max_symbols=3');

# counted(SERVER, NAME): what its processes have counted together.
sub counted ($server, $name) {
    return decode_json(run_command(20, build() . '/tickstat', '--json', '-p', $server->{pid})->{out})->{total}{counters}{$name};
}

# watches(SERVER): how many directories the kernel watches for it.
sub watches ($server) {
    return sum0(map { scalar(() = (read_file($_) // '') =~ /^inotify wd:/mg) } glob "/proc/$server->{pid}/fdinfo/*");
}

# all_list(SYMBOL, CONNECTIONS): whether it is in the answers of all of them.
sub all_list ($symbol, @http) { return !grep { $_->get('/api/symbols')->{body} !~ /"\Q$symbol\E"/ } @http }

subtest 'one worker looks for all' => sub {
    my $many = Tickd->start(data => $data, workers => 4, options => [ 'catalog_refresh=1h', 'catalog_watch=off' ]);
    my @http = map { $many->connect } 1 .. 24;
    ok(all_list('BTC-USD', @http), 'all list the symbols');
    # One worker may have taken all of them, if the others had no core meanwhile.
    ok(wait_for(20, sub {
        return 1 if counted($many, 'catalog_shared') > 0;
        push @http, $many->connect;
        all_list('BTC-USD', $http[-1]);
        return 0;
    }), '... of which others took over');
    is(counted($many, 'catalog_looks'), 1, '... what one of them has looked for');
    # Those that take the place of dead ones have what these knew.
    kill 'KILL', $many->workers;
    ok(wait_for(20, sub { my $new = $many->connect(undef, quietly => 1); $new && ($new->get('/api/symbols')->{status} // 0) == 200 }), 'all are killed, and replaced');
    is(counted($many, 'catalog_looks'), 1, '... and nobody has looked again');
    $many->stop_ok;
};

subtest 'directories are watched' => sub {
    my $watching = Tickd->start(data => $data, workers => 3, options => ['catalog_refresh=1h']);
    my @http = map { $watching->connect } 1 .. 12;
    $_->get('/api/symbols') for @http;
    my @listed = map { my $exchange = $_; ($exchange, map { "$exchange/$_" } names("$data/$exchange")) } names($data);
    my $directories = 1 + grep { !-l "$data/$_" } @listed; # ALIAS is another one's
    SKIP: {
        skip 'directories cannot be watched here', 6 if !watches($watching);
        is(watches($watching), $directories, "all $directories of them");
        make_path("$data/coinbase/SOON-USD/MD");
        ok(wait_for(20, sub { all_list('SOON-USD', @http) }), 'what is new is listed long before catalog_refresh');
        is(watches($watching), $directories + 1, 'and watched');
        rename "$data/coinbase/SOON-USD", "$data/coinbase/.SOON-USD" or die $!;
        ok(wait_for(20, sub { !grep { all_list('SOON-USD', $_) } @http }), 'what has gone is not listed any more');
        is(watches($watching), $directories, 'nor watched');
        make_path("$data/later/ON-USD/MD");
        ok(wait_for(20, sub { all_list('ON-USD', @http) }), 'a new exchange is listed');
        # Whoever has been told of a change, and is killed before he has told the others, is of no account.
        for my $round (1 .. 5) {
            make_path("$data/later/ON$round-USD/MD");
            kill 'KILL', $watching->workers;
            @http = grep { $_ } map { $watching->connect(undef, quietly => 1) } 1 .. 4;
            $_->send("GET /api/symbols HTTP/1.1\r\nHost: a\r\n\r\n") for @http;
            kill 'KILL', $watching->workers;
        }
        ok(wait_for(20, sub { my $new = $watching->connect(undef, quietly => 1); $new && all_list('ON5-USD', $new) }), 'workers are killed all the time: no change is lost');
    }
    remove_tree("$data/later", "$data/coinbase/.SOON-USD");
    $watching->stop_ok;
};

# Many symbols: TICKD_TEST_SYMBOLS=50000 for all of them.
my $many = $ENV{TICKD_TEST_SYMBOLS} // 3000;
my $big = "$home/big";
sample($big);
make_path(map { sprintf '%s/many/S%05d-USD/MD', $big, $_ } 1 .. $many);

subtest 'many symbols' => sub {
    my $busy = Tickd->start(data => $big, workers => 1, options => ['catalog_refresh=0']);
    my $query = url('/api/data', symbol => 'BTC-USD', type => 'MD', columns => 'time', start => '2025-01-01', end => '2025-01-07');
    my ($lister, $client) = map { $busy->connect } 1 .. 2;
    my ($slowest, $same) = (0, 1);
    my $right = $client->get($query)->{body};
    for (1 .. 3) {
        $lister->send("GET /api/symbols HTTP/1.1\r\nHost: x\r\n\r\n");
        for (1 .. 50) {
            my $begun = Time::HiRes::time();
            $same &&= $client->get($query)->{body} eq $right;
            my $took = Time::HiRes::time() - $begun;
            $slowest = $took if $took > $slowest;
        }
        my $r = $lister->response;
        is(scalar @{ (eval { decode_json($r->{body}) } // {})->{symbols} // [] }, $many + 1, "$many symbols are listed") or diag $r->{error};
    }
    ok($same, 'data queries meanwhile are right');
    note sprintf 'the slowest of them took %.1f ms', 1000 * $slowest;
    $busy->stop_ok;
};

# What could block is done by helpers: the thread that answers opens and reads no directory and no file.
subtest 'no answer waits for the disk' => sub {
    plan skip_all => 'a wrapper makes calls of its own' if $ENV{TICKD_WRAPPER};
    plan skip_all => 'no strace that may trace a process' if !traceable();
    my $traced = Tickd->start(data => $data, workers => 1, options => [ 'catalog_refresh=0', 'revalidate=1h' ]);
    my ($worker) = $traced->workers;
    my $http = $traced->connect(undef, timeout => deadline(60));
    my $wrong = 0;
    my @lines = traced($worker, sub {
        for my $target (qw(/api/symbols /api/symbols?details=1 /api/status /api/symbol-search?q=BTC)) {
            $wrong += $http->get($target)->{status} != 200;
        }
    });
    my (%loop, %helpers);
    for my $line (@lines) {
        my ($thread, $call) = $line =~ /\A(\d+)\s+(\w+)\(/ or next;
        ($thread == $worker ? \%loop : \%helpers)->{$call}++;
    }
    is($wrong, 0, 'all is answered');
    my @blocking = qw(open openat openat2 stat newfstatat lstat statx statfs readlink getdents getdents64 pread64 readv pwrite64 ftruncate inotify_add_watch);
    cmp_ok($helpers{getdents64} // 0, '>', 10, 'helpers read the directories');
    is_deeply([ grep { $loop{$_} } @blocking ], [], 'and the loop none') or diag join "\n", grep { /\A$worker\s+(?:open|.*stat|readlink|getdents|p(?:read|write)64|inotify)/ } @lines;
    $traced->stop_ok;
};

done_testing;
