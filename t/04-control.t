#!/usr/bin/perl
# The pid file, and -s, which finds the server by it.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample big_day write_file);
use Time::HiRes qw(time);

my $data = scratch();
sample($data);
plan skip_all => 'daemons are not followed into a wrapper' if ($ENV{TICKD_WRAPPER} // '') ne '';

# send_it(SERVER, COMMAND): by a file, as a user would.
sub send_it {
    my ($server, $command) = @_;
    write_file("$server->{dir}/tickd.conf", "pid_file = '$server->{pid_file}'\n");
    return run_tickd(10, '-c', "$server->{dir}/tickd.conf", '-s', $command);
}

subtest 'the pid file' => sub {
    my $server = Tickd->daemon(data => $data);
    is($server->{run}{status}, 0, 'it starts') or return diag $server->{run}{err};
    my $pid = $server->{pid};
    is($server->answers, 1, 'it serves already');
    like(Tickd::title($pid), qr/\Atickd: master/, 'the file names the master');
    my $second = run_tickd(20, $server->daemon_flags);
    is($second->{status}, 1, 'a second one is refused');
    is($second->{err}, "tickd: tickd is already running as process $pid (pid file $server->{pid_file})\n", 'and told why');
    like(run_tickd(20, '-f', $server->daemon_flags)->{err}, qr/\A[^\n]*already running as process $pid [^\n]*\n\z/, 'in the foreground, too');
    is(Tickd::_slurp($server->{pid_file}), "$pid\n", 'the file is as before');
    is($server->stop, 0, 'it stops');
    ok(!-e $server->{pid_file}, 'and takes the file along');

    for my $stale ("$$\n", "1\n", "999999999\n", '') { # of processes that have no lock on it
        write_file($server->{pid_file}, $stale);
        my $next = Tickd->daemon(data => $data, dir => $server->{dir});
        is($next->{run}{status}, 0, 'a stale file is taken over') or return diag $next->{run}{err};
        like(Tickd::_slurp($next->{pid_file}), qr/\A$next->{pid}\n\z/, 'and written anew');
        $next->stop;
    }

    my $other = Tickd->daemon(data => $data);
    write_file("$other->{pid_file}.new", "77\n");
    rename "$other->{pid_file}.new", $other->{pid_file} or die $!;
    $other->stop;
    is(Tickd::_slurp($other->{pid_file}), "77\n", "somebody else's file stays");

    my $nowhere = run_tickd(20, '-d', "$data", '-o', 'admin_listen=off', '-l', '127.0.0.1:0', '-o', 'pid_file=/nowhere/at/all');
    is($nowhere->{status}, 1, 'a file that cannot be made');
    like($nowhere->{err}, qr{\A[^\n]*pid file /nowhere/at/all: No such file[^\n]*\n\z}, 'is named');
    my $failed = run_tickd(20, '-d', "$data", '-o', 'admin_listen=off', '-l', 'unix:/nowhere/s', '-o', "pid_file=$server->{dir}/failed");
    is($failed->{status}, 1, 'a start that fails');
    ok(!-e "$server->{dir}/failed", 'leaves no file');
};

subtest 'kill -9 of the master, and a new one at once' => sub {
    my $big = scratch();
    big_day($big, 'coinbase/BIG/MD', '2025-01-01', 60, 'price');
    my $server = Tickd->daemon(data => $big, options => [ 'drain_timeout=60s' ]);
    is($server->{run}{status}, 0, 'it starts') or return diag $server->{run}{err};
    my @workers = $server->workers;
    my $busy = $server->connect(undef, rcvbuf => 65536, timeout => deadline(30));
    $busy->send("GET /api/data?symbol=BIG&type=MD&columns=price&start=0&end=2025-01-01 HTTP/1.1\r\nHost: a\r\n\r\n");
    ok($busy->_need(1, time + deadline(10)), 'an answer is on its way');
    kill 'KILL', $server->{pid};
    ok(wait_for(10, sub { $server->gone }), 'the master is gone');
    ok((grep { Tickd::alive($_) } @workers), 'a worker is not');
    is(send_it($server, 'status')->{status}, 3, 'no server is running');
    my $next = Tickd->daemon(data => $big, dir => $server->{dir});
    is($next->{run}{status}, 0, 'a new one starts') or diag $next->{run}{err};
    ok((grep { Tickd::alive($_) } @workers), 'while the worker drains');
    is($busy->response->{error}, undef, 'which finishes its answer');
    $next->stop;
    wait_for(10, sub { !grep { Tickd::alive($_) } @workers }) or kill 'KILL', @workers;
};

subtest '-s' => sub {
    my $server = Tickd->daemon(data => $data);
    is($server->{run}{status}, 0, 'it starts') or return diag $server->{run}{err};
    my $status = send_it($server, 'status');
    is("$status->{status} $status->{out}$status->{err}", "0 tickd is running as process $server->{pid}\n", 'status');
    my %effect = (reopen => qr/notice: the error log is opened again/, reload => qr/HUP/, upgrade => qr/upgrade: process \d+ has taken over/);
    for my $command (sort keys %effect) {
        my $run = send_it($server, $command);
        is("$run->{status} $run->{out}$run->{err}", '0 ', "$command is sent");
        ok(wait_for(10, sub { $server->log_text =~ $effect{$command} }), "$command arrives") or $server->dump_log;
    }
    ok(wait_for(10, sub { $server->gone }), 'the old process ends');
    ($server->{pid}) = Tickd::_slurp($server->{pid_file}) =~ /\A(\d+)\n\z/;
    delete $server->{status};
    $server->track;
    is(run_tickd(10, '-o', "pid_file=$server->{pid_file}", '-c', '/nowhere', '-s', 'status')->{status}, 0,
        'with a pid file as a flag no other file is read');
    is(send_it($server, 'stop')->{status}, 0, 'stop');
    ok(wait_for(10, sub { $server->gone }), 'it stops');
    my $gone = send_it($server, 'stop');
    is("$gone->{status} $gone->{err}", "3 tickd: tickd is not running (no process holds the pid file $server->{pid_file})\n", 'stop, once more');

    my $quitter = Tickd->daemon(data => $data);
    is(send_it($quitter, 'quit')->{status}, 0, 'quit');
    ok(wait_for(10, sub { $quitter->gone }), 'it ends');
    like($quitter->log_text, qr/finishing what is under way/, 'after finishing');

    # The file alone says nothing: a process that has the number, but no lock, is left alone.
    write_file($quitter->{pid_file}, "$$\n");
    local $SIG{TERM} = sub { fail('the wrong process was signalled') };
    is(send_it($quitter, 'stop')->{status}, 3, 'a stale file');
    my $none = run_tickd(10, '-d', "$data", '-s', 'stop');
    ok($none->{status} eq '1' && $none->{err} =~ /\A[^\n]*pid_file is empty\n\z/, 'no pid file') or diag $none->{err};
    my $hop = run_tickd(10, '-d', "$data", '-s', 'hop');
    ok($hop->{status} eq '2' && $hop->{err} =~ /\A[^\n]*'hop' is none of[^\n]*\n\z/, 'an unknown command') or diag $hop->{err};
};

done_testing;
