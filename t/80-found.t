#!/usr/bin/perl
# What hostile tests have found, each by the name of what was wrong.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP qw(decode_json);
use POSIX ();
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_day append_day big_day midnight file_of day_of iso_of);

my $wrapped = ($ENV{TICKD_WRAPPER} // '') ne '';
my $week = '/api/data?symbol=BTC-USD&type=MD&start=2025-01-01&end=2025-01-07&columns=';

# series(DATA, NAME, PRICE): a day of ten rows at one price.
sub series {
    my ($data, $name, $price) = @_;
    write_day($data, $name, '2025-01-01', {
        time => [ map { midnight('2025-01-01') + 100 * $price + $_ } 0 .. 9 ],
        price => [ ($price) x 10 ],
        volume => [ ($price) x 10 ],
    });
    return;
}

subtest 'a series whose directory is swapped: never some columns of one and some of the other' => sub {
    my $data = scratch();
    series("$data", 'coinbase/BTC-USD/MD', 1);
    series("$data", 'coinbase/BTC-USD/NEW', 2);
    my $server = Tickd->start(data => "$data", workers => 1, options => ['revalidate=1h']);
    my $before = parse_raw($server->get($week . 'time')->{body});
    rename "$data/coinbase/BTC-USD/MD", "$data/coinbase/BTC-USD/OLD" or die $!;
    rename "$data/coinbase/BTC-USD/NEW", "$data/coinbase/BTC-USD/MD" or die $!;
    my $raw = parse_raw($server->get($week . 'time,price')->{body});
    my ($time) = unpack 'V', $raw->{data}{time};
    my ($price) = unpack 'f<', $raw->{data}{price};
    is(($time - midnight('2025-01-01')) / 100, $price, 'time and price are of one version');
    $server->stop_ok;
};

subtest 'a file that was cut off since it was opened: no zeros in a small answer' => sub {
    my $data = scratch();
    sample("$data");
    for my $framing (qw(chunked length)) {
        my $server = Tickd->start(data => "$data", workers => 1, options => ['revalidate=1h']);
        is($server->get($week . 'price')->{status}, 200, 'opened');
        truncate "$data/coinbase/BTC-USD/MD/price.02.01.25.bin", 1 or die $!;
        my $r = $server->get($week . "price&framing=$framing");
        ok($r->{error} || $r->{status} != 200, "$framing: no complete 200");
        $server->stop_ok;
        sample("$data");
    }
};

subtest 'growth that is not looked at for long is no damage' => sub {
    my $data = scratch();
    series("$data", 'coinbase/BTC-USD/MD', 1);
    my $server = Tickd->start(data => "$data", workers => 1, options => [ 'revalidate=1h', 'live_window=0' ]);
    is($server->get($week . 'price')->{status}, 200, 'opened');
    append_day("$data", 'coinbase/BTC-USD/MD', '2025-01-01',
        { map { $_ => [ $_ eq 'time' ? midnight('2025-01-01') + 1000 : 3 ] } qw(time price volume) });
    my $r = $server->get($week . 'volume');
    is($r->{status}, 200, 'another column') or diag $r->{body};
    $r = $server->get($week . 'time,price,volume');
    is($r->{status}, 200, 'all columns') or diag $r->{body};
    $server->stop_ok;
};

subtest 'a column that appears in a live day is seen at once, by whoever answers' => sub {
    my $data = scratch();
    my $today = iso_of(int time / 86400);
    my @ten = map { midnight($today) + $_ } 0 .. 9;
    write_day("$data", 'coinbase/BTC-USD/MD', '2025-01-01', { time => [1], price => [1] });
    write_day("$data", 'coinbase/BTC-USD/MD', $today, { time => \@ten });
    my $server = Tickd->start(data => "$data", workers => 1, options => ['revalidate=1h']);
    my $target = "/api/data?symbol=BTC-USD&type=MD&columns=price&start=$today&end=$today";
    like($server->get($target)->{body}, qr/"rows_in_range":0,/, 'not there yet');
    write_day("$data", 'coinbase/BTC-USD/MD', $today, { price => [ 1 .. 7 ] });
    like($server->get($target)->{body}, qr/"rows_in_range":7,/, 'there');
    append_day("$data", 'coinbase/BTC-USD/MD', $today, { price => [ 8 .. 9 ] });
    like($server->get($target)->{body}, qr/"rows_in_range":9,/, 'and it grows');
    $server->stop_ok;
};

subtest 'an answer that ends the connection arrives whole, whatever the client still sends' => sub {
    my $data = scratch();
    big_day("$data", 'coinbase/BIG/MD', '2025-01-01', 60, 'price');
    my $server = Tickd->start(data => "$data", workers => 1);
    my $target = '/api/data?symbol=BIG&type=MD&start=2025-01-01&end=2025-01-01&columns=price';
    my $right = $server->get($target)->{body};
    for my $more ("\r\n", "GET /health HTTP/1.1\r\nHost: a\r\n\r\n") {
        my $http = $server->connect(undef, rcvbuf => 65536, timeout => deadline(30));
        $http->send("GET $target HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        ok($http->_need(1, time + deadline(10)), 'the answer is on its way');
        $http->send($more);
        my $r = $http->response;
        is($r->{error}, undef, 'it comes whole');
        ok($r->{body} eq $right, 'and right');
    }
    $server->stop_ok;
};

subtest 'a client is not timed while its answer is made' => sub {
    my $data = scratch();
    for my $day (1 .. 3000) {
        my $iso = POSIX::strftime('%Y-%m-%d', gmtime(86400 * (11000 + $day)));
        write_day("$data", 'coinbase/BTC-USD/MD', $iso, { time => [ midnight($iso) ], price => [1] });
    }
    my $server = Tickd->start(data => "$data", workers => 1, options => [ 'header_timeout=50ms', 'keepalive_timeout=50ms' ]);
    for (1 .. 3) {
        my $r = $server->get('/api/data?symbol=BTC-USD&type=MD&start=2000-01-01&end=2099-12-31&columns=time');
        is($r->{error}, undef, 'answered') and is($r->{status}, 200, 'with 200');
    }
    $server->stop_ok;
};

subtest 'an outage of the data is logged once' => sub {
    my $home = scratch();
    mkdir "$home/data" or die $!;
    sample("$home/data");
    my $server = Tickd->start(data => "$home/data", workers => 1);
    my $query = '/api/data?symbol=BTC-USD&type=MD&start=2000-01-01&end=2099-12-31&columns=time';
    my $logged = sub ($what) { return scalar(() = $server->log_text =~ /data directory \S+ $what/g) };
    my $errors = sub { return scalar(() = $server->log_text =~ / error: /g) };
    is($server->get($query)->{status}, 200, 'it is there');
    rename "$home/data", "$home/away" or die $!;
    is($server->get($_)->{status}, 503, "gone: $_") for ($query) x 3, '/api/symbols', '/health', $query;
    is($logged->('is missing or empty'), 1, 'that is said once');
    is($errors->(), 1, 'and nothing else');
    rename "$home/away", "$home/data" or die $!;
    is($server->get($query)->{status}, 200, 'it is back') for 1 .. 3;
    is($logged->('is back'), 1, 'that is said once, too');
    rename "$home/data/coinbase", "$home/coinbase" or die $!;
    is($server->get('/api/data?symbol=X&type=MD&start=2000-01-01&end=2099-12-31&columns=time')->{status}, 503, 'empty') for 1 .. 3;
    rename "$home/coinbase", "$home/data/coinbase" or die $!;
    is($server->get($query)->{status}, 200, 'it is back again');
    is($logged->('is missing or empty'), 1, 'an outage within the same minute is not logged');
    is($errors->(), 1, 'nor is anything else');
    $server->stop_ok;
};

subtest 'what is wrong with a file is logged once, and that it is over' => sub {
    my $data = scratch();
    my $series = 'coinbase/BTC-USD/MD';
    write_day("$data", $series, $_, { time => [ midnight($_) ], price => [1], volume => [1] }) for qw(2025-01-01 2025-01-02);
    my $server = Tickd->start(data => "$data", workers => 1, options => [ 'revalidate=0', 'unsorted=error' ]);
    my $answers = sub ($status, $column = 'price') {
        is($server->get("/api/data?symbol=BTC-USD&type=MD&start=2025-01-01&end=2025-01-02&columns=$column")->{status}, $status, "$column: $status");
    };
    my $from = 0;
    my $logged = sub ($name, @lines) {
        my $log = substr $server->log_text, $from;
        $from += length $log;
        is_deeply([ $log =~ /\] ((?:error|notice): .*$series.*)/g ], \@lines, $name);
    };
    my $damage = sub {
        my $r = run_command(10, build() . '/tickstat', '--json', '-p', $server->{pid});
        return decode_json($r->{out})->{total}{counters}{damage_found};
    };
    my $time = "$series/" . file_of('time', day_of('2025-01-01'));
    my $price = "$series/" . file_of('price', day_of('2025-01-01'));
    my %over = (time => "notice: $time: no trouble with it any more", price => "notice: $price: no trouble with it any more");
    $answers->(200);
    for my $what (qw(directory FIFO directory)) {
        rename "$data/$time", "$data/time" or die $!;
        ($what eq 'FIFO' ? POSIX::mkfifo("$data/$time", 0600) : mkdir "$data/$time") or die $!;
        $answers->(500) for 1 .. 3;
        $logged->("a $what in its place is logged once", "error: $time is not a regular file");
        ($what eq 'FIFO' ? unlink "$data/$time" : rmdir "$data/$time") or die $!;
        rename "$data/time", "$data/$time" or die $!;
        $answers->(200) for 1 .. 3;
        $logged->('and that it is gone', $over{time});
    }
    rename "$data/$price", "$data/price" or die $!;
    $answers->(500) && $answers->(200, 'volume') for 1 .. 3;
    $logged->('a missing column is logged once, whatever else is asked for', "error: damaged day: $price is missing");
    is($damage->(), 3, 'and counted each time');
    write_day("$data", $series, '2025-01-01', { price => [ 1, 2 ] });
    $answers->(500) for 1 .. 3;
    $logged->('one of another length is something else', "error: damaged day: $price has 2 rows of f32 where time has 1; is that its type? (the server's option type says so)");
    rename "$data/price", "$data/$price" or die $!;
    $answers->(200) for 1 .. 3;
    $logged->('and that it is mended', $over{price});
    write_day("$data", $series, '2025-01-01', { time => [ midnight('2025-01-01') + 1, midnight('2025-01-01') ], price => [ 1, 1 ], volume => [ 1, 1 ] });
    $answers->(500) for 1 .. 3;
    $logged->('times that step back are, too', "error: $time steps back in time at row 1 (counted from 0)");
    $server->stop_ok;
};

subtest 'a message names its file once' => sub {
    my $data = scratch();
    sample("$data");
    my $file = (glob "$data/coinbase/BTC-USD/MD/price.01.*")[0];
    unlink $file or die $!;
    mkdir $file or die $!;
    my $server = Tickd->start(data => "$data", workers => 1);
    my $told = is_error($server->get('/api/data?symbol=BTC-USD&type=MD&start=2000-01-01&end=2099-12-31&columns=price'), 500, undef, 'no file');
    like($server->log_text, qr/ error: \Q$told\E$/m, 'the log says what the client was told');
    is(scalar(() = $told =~ m{coinbase/BTC-USD/MD/price\.01}g), 1, 'with the name in it');
    $server->stop_ok;
};

subtest 'how it is started makes no difference' => sub {
    plan skip_all => 'a wrapper is in the way' if $wrapped;
    my $data = scratch();
    sample("$data");
    {
        local $SIG{CHLD} = 'IGNORE';
        my $server = bless { %{ Tickd->spawn(data => "$data", workers => 1) } }, 'Tickd';
        ok(wait_for(20, sub { $server->answers }), 'with SIGCHLD ignored: it answers');
        my ($victim) = $server->workers;
        kill 'KILL', $victim;
        ok(wait_for(10, sub { my @now = $server->workers; @now == 1 && $now[0] != $victim }), 'and replaces a worker');
        $server->signal('TERM');
        ok(wait_for(10, sub { !kill 0, $server->{pid} }), 'and stops');
        $server->gone;
    }
    for my $closed ('>&-', '2>&-', '<&- >&- 2>&-') {
        my $socket = "$data/../" . (split m{/}, "$data")[-1] . '.sock';
        my $code = system('/bin/sh', '-c', join ' ', build() . '/tickd', '-d', "$data", '-w', '1', '-o', 'admin_listen=off', '-l', "unix:$socket", $closed);
        is($code, 0, "a daemon with $closed starts");
        my $http = Tickd::Http->connect(path => $socket, timeout => deadline(10));
        ok($http && $http->get('/health')->{status} == 200, 'and answers');
        my ($daemon) = grep { Tickd::title($_) =~ /\Atickd: master unix:\Q$socket\E/ } map { m{(\d+)\z} } glob '/proc/[0-9]*';
        ok($daemon, 'its title tells where it listens');
        kill $_, $daemon for qw(HUP USR1);
        ok($http && $http->get('/health')->{status} == 200, 'HUP and USR1 do it no harm');
        kill 'TERM', $daemon;
        ok(wait_for(10, sub { !-e $socket && !Tickd::alive($daemon) }), 'and it stops'); # (its title is the next one's)
    }
};

done_testing;
