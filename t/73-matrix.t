#!/usr/bin/perl
# Processes that are killed, stopped and continued, in all phases: what is left serves, and who was answered was
# answered right.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::IP;
use POSIX ();
use Test::More;
use Tickd;
use Tickd::Data qw(big_day write_file);
use Tickd::Load;
use Time::HiRes qw(time);

plan skip_all => 'daemons are not followed into a wrapper' if ($ENV{TICKD_WRAPPER} // '') ne '';

my $dir = scratch();
mkdir "$dir/data" or die $!;
Tickd::Load::data("$dir/data");
my $engine = defined $ENV{TICKD_ENGINE} ? "engine = $ENV{TICKD_ENGINE}\n" : '';
my $port = do {
    my $socket = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1) or die $!;
    $socket->sockport;
};

# configure(NAME => VALUE ...)
sub configure {
    my %set = (data => "$dir/data", listen => "{'127.0.0.1:$port', 'unix:$dir/s'}", workers => 2, pid_file => "$dir/pid",
        error_log => "$dir/log", revalidate => 0, admin_listen => "off", @_);
    write_file("$dir/conf", join '', $engine, map { "$_ = $set{$_}\n" } sort keys %set);
    return;
}

# daemon(): a server with this configuration.
sub daemon {
    my $run = run_tickd(30, '-c', "$dir/conf");
    is("$run->{status} $run->{err}", '0 ', 'a server starts') or return undef;
    my ($pid) = Tickd::_slurp("$dir/pid") =~ /\A(\d+)\n\z/;
    my $self = bless { dir => $dir, log => "$dir/log", daemon => 1, pid => $pid, port => $port }, 'Tickd';
    $self->track;
    return $self;
}

sub lines { my ($pattern) = @_; my $text = Tickd::_slurp("$dir/log"); return scalar(() = $text =~ /$pattern/g) }

# after(PATTERN, CODE): whether CODE leads to one more line of the log.
sub after {
    my ($pattern, $code) = @_;
    my $before = lines($pattern);
    $code->();
    return wait_for(40, sub { lines($pattern) > $before });
}

# whole(SERVER): whether it is healthy, with two workers that answer.
sub whole {
    my ($server) = @_;
    return wait_for(20, sub { 2 == (() = $server->workers) && $server->get('/health')->{status} == 200 });
}

subtest 'kill -9 of the master: a new one at once, on the same addresses' => sub {
    configure();
    my $server = daemon() or return;
    for my $round (1 .. 4) {
        my @workers = $server->workers;
        my $idle = $server->connect;
        $idle->get('/health');
        kill 'STOP', $workers[0] if $round == 4; # it takes a while to notice
        kill 'KILL', $server->{pid};
        if ($round == 4) {
            my $pid = fork // die $!;
            if (!$pid) {
                select undef, undef, undef, 0.5;
                kill 'CONT', $workers[0];
                POSIX::_exit(0);
            }
        }
        my $next = daemon() or return;
        ok(whole($next), "round $round: the new one serves");
        my $r = $idle->get(Tickd::Load::target(0, 10));
        is(Tickd::Load::wrong($r, [ map { Tickd::Data::midnight('2025-01-01') + $_ } 0 .. 9 ], [ 0 .. 9 ], 1), '', 'who was connected is answered')
            if $round < 4;
        ok(wait_for(20, sub { !grep { Tickd::alive($_) } @workers }), 'the old workers end');
        $server = $next;
    }
    ok(-S "$dir/s" && Tickd::Http->connect(path => "$dir/s")->get('/health')->{status} == 200, 'the socket file is the last one\'s');
    is($server->stop, 0, 'it stops');
};

subtest 'kill -9 of a worker and of the master: during a reload' => sub {
    configure();
    my $server = daemon() or return;
    for my $round (1 .. 6) {
        my @victims = $server->workers;
        ok(after(qr/notice: reloaded|reload: it failed/, sub {
            $server->signal('HUP');
            select undef, undef, undef, rand 0.01;
            @victims = $server->workers if $round % 2;
            kill 'KILL', $victims[ rand @victims ] if @victims;
        }), "round $round: it ends");
        ok(whole($server), 'and all is well');
    }
    my @workers = $server->workers;
    $server->signal('HUP');
    select undef, undef, undef, rand 0.01;
    kill 'KILL', $server->{pid};
    my $next = daemon() or return;
    ok(whole($next), 'a new server after the master was killed during a reload');
    is($next->stop, 0, 'it stops');
    ok(wait_for(20, sub { !grep { Tickd::alive($_) } @workers }), 'nobody is left');
};

subtest 'kill -9 of the old master during an upgrade' => sub {
    configure();
    my $server = daemon() or return;
    my @workers = $server->workers;
    my $steady = Tickd::Load->start('steady', "127.0.0.1:$port");
    after(qr/upgrade: process \d+ runs/, sub { $server->signal('USR2') });
    kill 'KILL', $server->{pid};
    ok(wait_for(20, sub { Tickd::_slurp("$dir/pid") =~ /\A(\d+)\n\z/ && $1 != $server->{pid} && Tickd::alive($1) }), 'the new one takes over all the same');
    my ($pid) = Tickd::_slurp("$dir/pid") =~ /(\d+)/;
    $server = bless { %$server, pid => $pid }, 'Tickd';
    delete $server->{status};
    $server->track;
    ok(whole($server), 'and serves');
    ok(wait_for(20, sub { !grep { Tickd::alive($_) } @workers }), 'the old workers end');
    $steady->stop_ok;
    is(run_tickd(10, '-c', "$dir/conf", '-s', 'status')->{status}, 0, 'with the pid file');
    is($server->stop, 0, 'it stops');
};

subtest 'while it drains' => sub {
    configure(drain_timeout => '10s');
    big_day("$dir/data", 'coinbase/HUGE/MD', '2025-01-01', 60, 'price');
    my $server = daemon() or return;
    my $slow = sub {
        my $http = $server->connect(undef, rcvbuf => 65536, timeout => deadline(20));
        $http->send("GET /api/data?symbol=HUGE&type=MD&columns=price&start=2025-01-01&end=2025-01-01 HTTP/1.1\r\nHost: a\r\n\r\n");
        $http->_need(1, time + deadline(20));
        return $http;
    };
    my $busy = $slow->();
    $server->signal('QUIT');
    ok(wait_for(10, sub { lines(qr/finishing what is under way/) }), 'it drains');
    kill 'KILL', $server->{pid};
    my $next = daemon() or return;
    is($busy->response->{error}, undef, 'the master is killed: the answer comes whole');
    $busy = undef;
    $server = $next;
    my @workers = $server->workers;
    $busy = $slow->();
    $server->signal('QUIT');
    wait_for(10, sub { 1 == (() = $server->workers) }); # the other one had nothing to do
    kill 'KILL', $server->workers;
    ok(wait_for(10, sub { $server->gone }), 'a draining worker is killed: the master ends');
    ok($busy->response->{error}, 'that answer is cut off, and seen to be');
};

subtest 'STOP and CONT' => sub {
    configure();
    my $server = daemon() or return;
    my ($first, $second) = $server->workers;
    kill 'STOP', $server->{pid};
    is($server->get('/health')->{status}, 200, 'a stopped master: workers serve');
    kill 'KILL', $first;
    # (With io_uring, a connection for which the kernel has woken the dead one waits for the next.)
    ok(wait_for(10, sub { $server->connect(undef, timeout => 1)->get('/health')->{status} == 200 }), 'with one worker fewer');
    $server->signal('HUP');
    ok(after(qr/notice: reloaded/, sub { kill 'CONT', $server->{pid} }), 'on CONT it does what it was told');
    ok(whole($server), 'and all is well');

    my ($stopped) = $server->workers;
    kill 'STOP', $stopped;
    my @waiting = map { my $http = $server->connect; $http->send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n"); $http } 1 .. 8;
    ok(after(qr/notice: reloaded/, sub { $server->signal('HUP') }), 'a reload with a stopped worker');
    kill 'CONT', $stopped;
    is(scalar(grep { my $r = $_->response; !$r->{error} && $r->{status} == 200 } @waiting), 8, 'those that it had accepted are answered on CONT');
    @waiting = ();
    ok(whole($server), 'and all is well');
    is($server->stop, 0, 'it stops');
};

subtest 'a worker that never ends is killed' => sub {
    configure(drain_timeout => '1s');
    my $server = daemon() or return;
    my @workers = $server->workers;
    kill 'STOP', @workers;
    ok(after(qr/notice: reloaded/, sub { $server->signal('HUP') }), 'a reload past stopped workers');
    # (With io_uring, the kernel goes on waking the stopped ones for connections: nobody is answered before they go.)
    ok(wait_for(30, sub { !grep { Tickd::alive($_) } @workers }), 'the stopped ones are killed in time');
    is($server->get('/health')->{status}, 200, 'the new ones serve');
    like(Tickd::_slurp("$dir/log"), qr/worker \d \(pid $workers[0]\) does not end and is killed/, 'with a word');
    is($server->stop, 0, 'it stops');
};

subtest 'drain_delay' => sub {
    configure(drain_delay => '1s');
    my $server = daemon() or return;
    my $steady = Tickd::Load->start('door', "127.0.0.1:$port");
    my $began = time;
    $server->signal('QUIT');
    ok(wait_for(5, sub { my $r = $server->get('/health'); $r->{status} == 503 && !$r->{close} }), '/health says 503, and the connection goes on');
    is($server->get(Tickd::Load::target(0, 1))->{status}, 200, 'data are served');
    my ($worker) = $server->workers;
    ok(wait_for(10, sub { $server->gone }), 'it ends');
    cmp_ok(time - $began, '>=', 1, 'after the delay');
    $steady->stop_ok;

    configure(drain_delay => '1h');
    $server = daemon() or return;
    $server->signal('QUIT');
    wait_for(5, sub { $server->get('/health')->{status} == 503 });
    is($server->stop('QUIT'), 0, 'QUIT again does not wait');
    $server = daemon() or return;
    $server->signal('QUIT');
    is($server->stop('TERM'), 0, 'nor does TERM');
};

done_testing;
