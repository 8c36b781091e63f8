#!/usr/bin/perl
# Start and stop, processes, listeners, and what the command line refuses.

use v5.26;
use warnings;
use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::IP;
use IO::Socket::UNIX;
use Test::More;
use Tickd;
use Tickd::Data qw(sample big_day write_file);
use Time::HiRes qw(time);

my $data = scratch();
sample($data);
my $week = '/api/data?symbol=BTC-USD&type=MD&columns=time,price&start=2025-01-01&end=2025-01-07';
my $wrapped = ($ENV{TICKD_WRAPPER} // '') ne '';

sub alive { return Tickd::alive(@_) }

sub refused {
    my ($server) = @_;
    return wait_for(10, sub { !$server->connect(undef, quietly => 1) });
}

subtest 'version and help' => sub {
    for my $flag (qw(-V --version)) {
        my $run = run_tickd(10, $flag);
        is($run->{status}, 0, "$flag succeeds");
        like($run->{out}, qr/\Atickd \d+\.\d+/, "$flag prints name and version");
        is($run->{err}, '', "$flag says nothing on stderr");
    }
    for my $flag (qw(-h --help)) {
        my $run = run_tickd(10, $flag);
        is($run->{status}, 0, "$flag succeeds");
        like($run->{out}, qr/$_/, "$flag tells of $_") for qw(-f -c -d -l -w -o -t -T -s -V -h --foreground --config --data --listen --workers --cpus);
        is($run->{err}, '', "$flag says nothing on stderr");
    }
};

subtest 'refused at the start: one line that names the culprit' => sub {
    my $taken = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1) or die $!;
    my $port = $taken->sockport;
    my $dir = scratch();
    write_file("$dir/precious", "keep me\n");
    my $long = 'x' x 120;
    my @good = ('-f', '-d', "$data", '-l', '127.0.0.1:0', '-w', '1', '-o', 'admin_listen=off');
    my @cases = (
        [ 'an unknown long flag', qr/nonsense.*(?:-h|--help)\b/, @good, '--nonsense' ],
        [ 'an unknown short flag', qr/Z.*(?:-h|--help)\b/, @good, '-Z' ],
        [ 'an argument too many', qr/surplus/, @good, 'surplus' ],
        [ 'a flag without its value', qr/\bd(?:ata)?\b/, '-f', '-d' ],
        [ 'workers in words', qr/two/, @good, '-w', 'two' ],
        [ 'workers below nothing', qr/-1/, @good, '-w', '-1' ],
        [ 'absurdly many workers', qr/99999999999/, @good, '-w', '99999999999' ],
        [ 'no data directory', qr/data/i, '-f', '-l', '127.0.0.1:0', '-w', '1' ],
        [ 'a data directory that is not there', qr{/nowhere/at/all}, '-f', '-d', '/nowhere/at/all', '-l', '127.0.0.1:0' ],
        [ 'a file for a data directory', qr{precious}, '-f', '-d', "$dir/precious", '-l', '127.0.0.1:0' ],
        [ 'an address without port', qr/nonsense/, '-f', '-d', "$data", '-l', 'nonsense' ],
        [ 'an empty port', qr/127\.0\.0\.1:/, '-f', '-d', "$data", '-l', '127.0.0.1:' ],
        [ 'a port over 65535', qr/70000/, '-f', '-d', "$data", '-l', '127.0.0.1:70000' ],
        [ 'a port in words', qr/http-or-so/, '-f', '-d', "$data", '-l', '127.0.0.1:http-or-so' ],
        [ 'an address that is none', qr/300\.1\.1\.1/, '-f', '-d', "$data", '-l', '300.1.1.1:80' ],
        [ 'a port in use', qr/\b$port\b/, '-f', '-d', "$data", '-l', "127.0.0.1:$port" ],
        [ 'a socket in no directory', qr{/nowhere/s}, '-f', '-d', "$data", '-l', 'unix:/nowhere/s' ],
        [ 'a socket path that is too long', qr{xxx}, '-f', '-d', "$data", '-l', "unix:$dir/$long" ],
        [ 'a socket path that is a file', qr{precious}, '-f', '-d', "$data", '-l', "unix:$dir/precious" ],
        [ 'an unknown option', qr/no_such_option/, @good, '-o', 'no_such_option=1' ],
        [ 'an option without value', qr/live_grace/, @good, '-o', 'live_grace' ],
        [ 'a duration that is none', qr/live_grace/, @good, '-o', 'live_grace=soon' ],
        [ 'a size that is none', qr/max_body/, @good, '-o', 'max_body=big' ],
        [ 'a choice that is none', qr/unsorted/, @good, '-o', 'unsorted=maybe' ],
        [ 'a missing policy that is none', qr/missing/, @good, '-o', 'missing=shrug' ],
        [ 'a framing that is none', qr/framing/, @good, '-o', 'framing=foil' ],
        [ 'a type of a column that is none', qr/u65/, @good, '-o', 'type=a/b/c:u65' ],
        [ 'a type of too few names', qr{a/b:u64}, @good, '-o', 'type=a/b:u64' ],
        [ 'a type without a type', qr{a/b/c}, @good, '-o', 'type=a/b/c' ],
        [ 'a core that is not there', qr/9999/, @good, '--cpus', '9999' ],
        [ 'cores in words', qr/many/, @good, '--cpus', 'many' ],
    );
    for (@cases) {
        my ($name, $culprit, @arguments) = @$_;
        my $run = run_tickd(15, @arguments);
        my $lines = () = $run->{err} =~ /\n/g;
        ok($run->{status} =~ /\A\d+\z/ && $run->{status} > 0 && $lines == 1 && $run->{err} =~ $culprit && $run->{out} eq '', $name)
            or diag "  exit status $run->{status}, stdout '$run->{out}', stderr:\n$run->{err}  (expected one line, naming $culprit)";
    }
    is(Tickd::_slurp("$dir/precious"), "keep me\n", 'a file in the way of a socket stays');
};

for my $signal (qw(TERM INT HUP)) { # the last one: the terminal of what is in the foreground is gone
    my $server = Tickd->start(data => $data);
    my $keep = $server->connect;
    is($keep->get($week)->{status}, 200, 'a query is answered');
    my @workers = $server->workers;
    is($server->stop($signal), 0, "$signal ends it with 0, with an idle connection open");
    ok(wait_for(5, sub { !grep { alive($_) } @workers }), "$signal: no worker stays");
    ok(!$server->connect(undef, quietly => 1), "$signal: nobody listens any more");
    $server->log_ok($signal);
}

subtest 'TERM before all workers are up' => sub {
    # Half of the rounds wait for the log's first word, half for some moment of the start.
    my @stuck;
    for my $round (1 .. 16) {
        my $server = Tickd->spawn(data => $data);
        my $until = time + $round / 4000;
        wait_for(10, sub { $round % 2 ? $server->addresses : time >= $until });
        my $status = $server->stop('TERM', 5);
        # One that did not get to its signal handlers yet dies of the signal.
        push @stuck, $status // 'stuck' if !defined $status || ($status && $status != 15);
        last if @stuck;
    }
    is("@stuck", '', 'it ends each time');
};

subtest 'processes' => sub {
    my $server = Tickd->start(data => $data, workers => 2);
    my @workers = $server->workers;
    is(scalar @workers, 2, 'as many workers as asked for');
    SKIP: {
        skip 'titles and cores are not looked at in a wrapper', 4 if $wrapped;
        # The worker that answered first may be ahead of the other one.
        wait_for(10, sub { 2 == grep { Tickd::title($_) =~ /tickd: worker/ && status_of($_, 'Cpus_allowed_list') =~ /\A\d+\z/ } @workers });
        like(Tickd::title($server->{pid}), qr/\Atickd: master/, "the master's title");
        is_deeply([ sort map { Tickd::title($_) =~ /\A(tickd: worker \d+)/ ? $1 : Tickd::title($_) } @workers ],
            [ 'tickd: worker 0', 'tickd: worker 1' ], 'titles tell worker and slot');
        my @cores = map { status_of($_, 'Cpus_allowed_list') } @workers;
        is(scalar(grep { /\A\d+\z/ } @cores), 2, "each worker is pinned to one core (@cores)");
        my $mine = status_of($$, 'Cpus_allowed_list');
        skip 'only one core', 1 if $mine =~ /\A\d+\z/;
        isnt($cores[0], $cores[1], 'two workers are on two cores');
    }

    # A worker that is killed is replaced; the others do not notice.
    for my $round (1 .. 3) {
        my ($victim, @others) = $server->workers;
        if (@others != 1) {
            fail("round $round: there are two workers");
            $server->dump_log;
            last;
        }
        kill 'KILL', $victim;
        my $whole = wait_for(10, sub {
            my @now = $server->workers;
            return @now == 2 && !grep { $_ == $victim } @now;
        });
        ok($whole, "round $round: a killed worker is replaced");
        ok((grep { $_ == $others[0] } $server->workers), "round $round: the other worker goes on");
        my $ok = 0;
        for (1 .. 20) {
            $ok++ if $server->get($week)->{status} == 200;
        }
        is($ok, 20, "round $round: twenty queries on new connections are answered");
    }
    SKIP: {
        skip 'titles are not looked at in a wrapper', 1 if $wrapped;
        # A replaced worker has its slot again (its title may come a moment later).
        ok(wait_for(5, sub {
            my @slots = sort map { Tickd::title($_) =~ /worker (\d+)/ ? $1 : '?' } $server->workers;
            return "@slots" eq '0 1';
        }), 'the slots are those of before');
    }
    $server->stop_ok;
};

subtest 'cores that are named' => sub {
    plan skip_all => 'cores are not looked at in a wrapper' if $wrapped;
    my ($last) = status_of($$, 'Cpus_allowed_list') =~ /(\d+)\z/;
    my $server = Tickd->start(data => $data, workers => 2, args => [ '--cpus', $last ]);
    wait_for(10, sub { 2 == grep { status_of($_, 'Cpus_allowed_list') eq $last } $server->workers });
    is_deeply([ map { status_of($_, 'Cpus_allowed_list') } $server->workers ], [ $last, $last ],
        "--cpus $last: two workers on core $last");
    $server->stop_ok;
};

subtest 'no -w: a worker for each core' => sub {
    my $server = Tickd->start(data => $data, workers => 1);
    $server->stop_ok('one worker');
    my $cores = 0;
    for (split /,/, status_of($$, 'Cpus_allowed_list')) {
        my ($from, $to) = /\A(\d+)(?:-(\d+))?\z/;
        $cores += ($to // $from) - $from + 1;
    }
    plan skip_all => 'too many cores' if $cores > 16;
    my $dir = scratch();
    my $log = "$dir/log";
    my $pid = fork // die $!;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        exec tickd(), '-f', '-d', "$data", '-o', 'admin_listen=off', '-l', '127.0.0.1:0' or POSIX::_exit(127);
    }
    my $self = bless { pid => $pid, dir => $dir, log => $log }, 'Tickd';
    $self->track;
    ok(wait_for(20, sub { $self->answers }), 'it answers');
    ok(wait_for(10, sub { scalar(() = $self->workers) == $cores }), "$cores workers on $cores cores");
    $self->stop_ok;
};

subtest 'QUIT drains' => sub {
    my $big = scratch();
    sample($big);
    big_day($big, 'coinbase/BIG/MD', '2025-01-01', 60, 'price', 'volume');
    my $server = Tickd->start(data => $big, workers => 2, options => [ 'keepalive_timeout=2s' ]);
    my $target = '/api/data?symbol=BIG&type=MD&columns=price,volume&start=2025-01-01&end=2025-01-01';
    my $expected = $server->get($target);
    is($expected->{error}, undef, 'a big answer');
    my $busy = $server->connect(undef, rcvbuf => 65536, timeout => deadline(30));
    my $idle = $server->connect;
    is($idle->get('/health')->{status}, 200, 'healthy before');
    $busy->send("GET $target HTTP/1.1\r\nHost: a\r\n\r\n");
    ok($busy->_need(1, time + deadline(10)), 'a big answer is on its way');
    $server->signal('QUIT');
    ok(refused($server), 'QUIT: no new connections, not even to wait for nobody');
    ok(!$server->gone, 'QUIT: it does not end while an answer is on its way');
    my $health = $idle->get('/health');
    if (is($health->{error}, undef, 'QUIT: an open connection is still answered')) {
        is_error($health, 503, undef, 'QUIT: /health is 503');
        ok($health->{close}, 'QUIT: with Connection: close');
        ok($idle->at_end, 'QUIT: and it is closed');
    }
    my $whole = $busy->response;
    is($whole->{error}, undef, 'QUIT: the answer on its way comes whole');
    ok($whole->{body} eq $expected->{body}, 'QUIT: and right');
    ok(wait_for(15, sub { $server->gone }), 'QUIT: then it ends');
    is($server->{status}, 0, 'QUIT: with 0') or $server->dump_log;
    $server->log_ok;
};

subtest 'drain_timeout ends the wait for a client that does not read' => sub {
    my $big = scratch();
    big_day($big, 'coinbase/BIG/MD', '2025-01-01', 60, 'price');
    my $server = Tickd->start(data => $big, workers => 1, options => [ 'drain_timeout=500ms' ]);
    my $stuck = $server->connect(undef, rcvbuf => 65536);
    $stuck->send("GET /api/data?symbol=BIG&type=MD&columns=price&start=0&end=2025-01-01 HTTP/1.1\r\nHost: a\r\n\r\n");
    ok($stuck->_need(1, time + deadline(10)), 'an answer is on its way');
    is($server->stop('QUIT'), 0, 'it ends all the same, with 0');
    $server->log_ok;
};

subtest 'kill -9 of the master: its workers close their listeners and end' => sub {
    my $server = Tickd->start(data => $data, workers => 2, options => [ 'keepalive_timeout=1s', 'drain_timeout=5s' ]);
    my @workers = $server->workers;
    my $idle = $server->connect;
    $idle->get('/health');
    kill 'KILL', $server->{pid};
    ok(wait_for(5, sub { $server->gone }), 'the master is gone');
    ok(refused($server), 'nobody listens any more');
    ok(wait_for(15, sub { !grep { alive($_) } @workers }), 'the workers end by themselves')
        or kill 'KILL', @workers;
    $server->log_ok;
};

subtest 'several listeners' => sub {
    my $dir = scratch();
    my $socket = "$dir/tickd.sock";
    my $six = IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1);
    close $six if $six;
    my @listen = ('127.0.0.1:0', '127.0.0.1:0', "unix:$socket", $six ? '[::1]:0' : ());

    # A socket file that nobody listens on any more is in nobody's way.
    my $stale = IO::Socket::UNIX->new(Local => $socket, Listen => 1) or die $!;
    close $stale;
    ok(-S $socket, 'a stale socket file lies there');
    my $server = Tickd->start(data => $data, listen => \@listen);
    my @addresses = $server->addresses;
    is(scalar @addresses, scalar @listen, "each is logged: @addresses");
    for my $address (@addresses) {
        my $r = $server->connect($address)->get($week);
        is($r->{status}, 200, "$address answers");
    }
    SKIP: {
        skip 'no IPv6 here', 1 if !$six;
        ok((grep { /\A\[::1\]:\d+\z/ } @addresses), 'IPv6 is written in brackets');
    }

    # One that somebody listens on is in use.
    my $second = run_tickd(15, '-f', '-d', "$data", '-o', 'admin_listen=off', '-l', "unix:$socket");
    ok($second->{status} =~ /\A[1-9]\d*\z/ && $second->{err} =~ /\A[^\n]*\Q$socket\E[^\n]*\n\z/, 'a second tickd on the same socket is refused')
        or diag "  $second->{status} $second->{err}";
    is($server->connect("unix:$socket")->get('/health')->{status}, 200, 'the first one goes on');
    my ($first) = grep { /\A127/ } @addresses;
    my $third = run_tickd(15, '-f', '-d', "$data", '-o', 'admin_listen=off', '-l', $first);
    ok($third->{status} =~ /\A[1-9]\d*\z/ && $third->{err} =~ /\A[^\n]*\Q$first\E[^\n]*\n\z/, 'a second tickd on the same port is refused')
        or diag "  $third->{status} $third->{err}";
    $server->stop_ok;
    my $again = Tickd->start(data => $data, listen => [ "unix:$socket" ]);
    is($again->connect("unix:$socket")->get('/health')->{status}, 200, 'a new one takes the socket');
    $again->stop_ok;
};

# serving(DIR): master and workers of a daemon that serves DIR: a worker keeps DIR open, and its parent is the master.
sub serving {
    my ($dir) = @_;
    my %worker;
    for my $link (glob '/proc/[0-9]*/fd/*') {
        my ($pid) = $link =~ m{\A/proc/(\d+)/};
        $worker{$pid} = 1 if (readlink($link) // '') eq $dir && Tickd::title($pid) =~ /tickd: worker/;
    }
    my ($worker) = sort { $a <=> $b } keys %worker or return;
    my ($master) = Tickd::_slurp("/proc/$worker/stat") =~ /\) \S (\d+)/;
    return ($master, sort { $a <=> $b } keys %worker);
}

subtest 'a daemon' => sub {
    plan skip_all => 'daemons are not followed into a wrapper' if $wrapped;
    plan skip_all => '-h does not speak of one' if run_tickd(10, '-h')->{out} !~ /daemon/;
    my $dir = scratch();
    my $socket = "$dir/s";
    make_path("$dir/data");
    sample("$dir/data");
    my $run = run_tickd(20, '-d', "$dir/data", '-o', 'admin_listen=off', '-l', "unix:$socket", '-w', '2');
    is($run->{status}, 0, 'the command returns with 0');
    unlike($run->{err}, qr/\n./, 'with a line at most');
    # It serves already: no waiting here.
    my $http = Tickd::Http->connect(path => $socket, timeout => deadline(10));
    ok($http && $http->get($week)->{status} == 200, 'and it serves already');
    my ($master, @workers);
    wait_for(10, sub { ($master, @workers) = serving("$dir/data"); @workers >= 2 });
    is(scalar @workers, 2, 'there are two workers');
    like(Tickd::title($master // 0), qr/\Atickd: master/, 'and a master') or return @workers && kill 'KILL', @workers;
    my ($session, $mine) = map { Tickd::_slurp("/proc/$_/stat") =~ /\) \S \d+ \d+ (\d+)/ } $master, $$;
    isnt($session, $mine, 'in a session of its own');
    is(readlink "/proc/$master/cwd", '/', 'in the root directory');
    is(readlink "/proc/$master/fd/0", '/dev/null', 'stdin is /dev/null');
    my $again = run_tickd(20, '-d', "$dir/data", '-o', 'admin_listen=off', '-l', "unix:$socket");
    ok($again->{status} =~ /\A[1-9]\d*\z/ && $again->{err} =~ /\A[^\n]*\Q$socket\E[^\n]*\n\z/, 'a second one fails before it is a daemon')
        or diag "  $again->{status} $again->{err}";
    kill 'TERM', $master;
    ok(wait_for(10, sub { !grep { alive($_) } $master, @workers }), 'TERM ends it') or kill 'KILL', $master, @workers;
};

subtest 'SIGPIPE does no harm' => sub {
    my $server = Tickd->start(data => $data, workers => 1);
    kill 'PIPE', $server->{pid}, $server->workers;
    is($server->get($week)->{status}, 200, 'SIGPIPE is ignored');
    $server->stop_ok;
};

sub status_of {
    my ($pid, $field) = @_;
    open my $file, '<', "/proc/$pid/status" or return '';
    while (my $line = <$file>) {
        return $1 if $line =~ /\A\Q$field\E:\s*(.*)/;
    }
    return '';
}

done_testing;
