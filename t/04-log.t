#!/usr/bin/perl
# The error log: where it goes, in the foreground and in the background, and how it is rotated.

use v5.26;
use warnings;
use File::Path qw(make_path);
use FindBin;
use IO::Socket::IP;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample);

my $data = scratch();
sample($data);
my $wrapped = ($ENV{TICKD_WRAPPER} // '') ne '';
my $line = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[\d+\] (?:error|warning|notice|info|debug): [^\n]+\n/;

# having(PATH, PID ...): which of the processes have the file PATH open.
sub having {
    my ($path, @pids) = @_;
    return grep { my $pid = $_; grep { (readlink($_) // '') eq $path } glob "/proc/$pid/fd/*" } @pids;
}

# rotate(SERVER, PATH): as logrotate does; true when all its processes write to the new file only.
sub rotate {
    my ($server, $path) = @_;
    my @all = ($server->{pid}, $server->workers);
    rename $path, "$path.old" or die $!;
    $server->signal('USR1');
    return wait_for(10, sub { having($path, @all) == @all && !having("$path.old", @all) });
}

subtest 'in the foreground' => sub {
    my $dir = scratch();
    my $log = "$dir/error.log";
    # What is read of the log, such as the addresses, is this file.
    my $server = Tickd->spawn(data => $data, workers => 2, options => [ "error_log=$log" ]);
    my $stderr = $server->{log};
    $server->{log} = $log;
    ok(wait_for(20, sub { $server->answers && $server->workers == 2 && $server->log_text =~ /workers are serving/ }), 'it serves') or return;
    like($server->log_text, qr/\A$line+\z/, 'the file has whole lines with time, process and level');
    is((stat $log)[2] & 07777, 0640, 'its mode is 0640');
    is(Tickd::_slurp($stderr) =~ s/^--\d+-- .*\n//gmr, '', 'standard error has nothing'); # (valgrind speaks there of what it does not know)
    $server->{port} = $server->port; # the log that tells it will be away

    ok(rotate($server, $log), 'USR1: all processes have the new file') or $server->dump_log;
    like(Tickd::_slurp($log), qr/\A$line+\z/, 'it says so there');
    my ($victim) = $server->workers;
    kill 'KILL', $victim;
    ok(wait_for(10, sub { Tickd::_slurp($log) =~ /$victim\) died of signal 9/ && $server->workers == 2 }), 'what happens later is there');
    unlike(Tickd::_slurp("$log.old"), qr/died of signal/, 'and not in the old one');
    my @workers;
    ok(wait_for(10, sub { @workers = $server->workers; having($log, @workers) == 2 }), 'a new worker has the new file');

    # No new file can be made: the old one goes on.
    wait_for(10, sub { Tickd::_slurp($log) =~ /is replaced by process/ });
    rename $dir, "$dir-gone" or die $!;
    $server->{log} = "$dir-gone/error.log";
    $server->signal('USR1');
    ok(wait_for(10, sub { 3 == (() = $server->log_text =~ /cannot open the error log \Q$log\E again/g) }), 'each process says that it cannot')
        or $server->dump_log;
    is($server->get('/health')->{status}, 200, 'and goes on');
    is($server->stop, 0, 'it stops');
    like($server->log_text, qr/notice: stopped\n\z/, 'and the old file has the end');
    rename "$dir-gone", $dir;
};

subtest 'USR1 while workers start' => sub {
    my $dir = scratch();
    my $log = "$dir/error.log";
    for my $round (1 .. 5) {
        unlink $log, "$log.old";
        my $server = Tickd->spawn(data => $data, workers => 2, options => [ "error_log=$log" ]);
        $server->{log} = $log;
        wait_for(10, sub { $server->addresses });
        rename $log, "$log.old";
        $server->signal('USR1');
        my @all;
        ok(wait_for(10, sub {
            @all = ($server->{pid}, $server->workers);
            return @all == 3 && having($log, @all) == 3 && !having("$log.old", @all);
        }), "round $round: all have the new file") or $server->dump_log;
        unlike(Tickd::_slurp($log) . Tickd::_slurp("$log.old"), qr/died/, "round $round: none dies of it");
        is($server->stop, 0, "round $round: it stops");
    }
};

subtest 'in the background' => sub {
    plan skip_all => 'daemons are not followed into a wrapper' if $wrapped;
    my $server = Tickd->daemon(data => $data);
    is("$server->{run}{status} $server->{run}{err}", '0 ', 'it starts without a word') or return;
    like($server->log_text, qr/\A$line+\z/, 'the file has lines');
    like($server->log_text, qr/2 workers are serving/, 'all of them');
    my @all = ($server->{pid}, $server->workers);
    is(scalar(grep { readlink("/proc/$_/fd/2") eq $server->{log} } @all), 3, 'standard error is that file');
    is(readlink "/proc/$server->{pid}/fd/1", '/dev/null', 'standard output is /dev/null');
    ok(rotate($server, $server->{log}), 'USR1: all processes have the new file');
    is(scalar(grep { readlink("/proc/$_/fd/2") eq $server->{log} } @all), 3, 'as standard error, too');
    $server->stop;
    like($server->log_text, qr/notice: stopped\n\z/, 'it has the end');
};

subtest 'errors of the start go to the caller' => sub {
    my $taken = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1) or die $!;
    my @cases = (
        [ 'a log in no directory', qr{cannot open the error log /nowhere/log: No such file}, '-o', 'error_log=/nowhere/log' ],
        [ 'a log that is a directory', qr{cannot open the error log /: Is a directory}, '-o', 'error_log=/' ],
        [ 'an address in use', qr{cannot listen on}, '-l', '127.0.0.1:' . $taken->sockport ],
    );
    my $dir = scratch();
    for (@cases) {
        my ($name, $culprit, @arguments) = @$_;
        for my $mode ([], ['-f']) {
            my $run = run_tickd(20, @$mode, '-d', "$data", (grep { $_ eq '-l' } @arguments) ? () : ('-l', '127.0.0.1:0'), '-o', 'admin_listen=off',
                '-w', '1', '-o', "error_log=$dir/log", @arguments);
            ok($run->{status} eq '1' && $run->{err} =~ /\A[^\n]*$culprit[^\n]*\n\z/, "$name (@$mode)") or diag "  $run->{status} $run->{err}";
        }
    }
    ok(!-e "$dir/log", 'no log is made where nothing was started');
};

subtest 'USR1 without a file' => sub {
    my $server = Tickd->start(data => $data, workers => 1);
    $server->signal('USR1');
    ok(wait_for(10, sub { $server->log_text =~ /USR1: there is no log file to open again/ }), 'it says that there is none');
    is($server->get('/health')->{status}, 200, 'and goes on');
    $server->stop_ok;
};

subtest 'stderr and syslog' => sub {
    plan skip_all => 'daemons are not followed into a wrapper' if $wrapped;
    my $dir = scratch();
    my $pid = Tickd::child([ tickd(), '-d', "$data", '-l', '127.0.0.1:0', '-w', '1', '-o', 'admin_listen=off', '-o', "pid_file=$dir/pid", '-o', 'error_log=stderr' ],
        "$dir/out", "$dir/err");
    ok(wait_for(20, sub { waitpid($pid, POSIX::WNOHANG()) == $pid }) && $? == 0, 'a daemon that logs to stderr starts');
    like(Tickd::_slurp("$dir/err"), qr/\A$line+\z/, 'and does');
    my ($master) = Tickd::_slurp("$dir/pid") =~ /(\d+)/;
    kill 'TERM', $master;
    ok(wait_for(10, sub { !Tickd::alive($master) }), 'it stops');
    like(Tickd::_slurp("$dir/err"), qr/notice: stopped\n\z/, 'to its last line');

    my $server = Tickd->spawn(data => $data, workers => 1, options => [ 'error_log=syslog' ]);
    # All that it has to say here is that there may be no syslog.
    ok(wait_for(10, sub { $server->workers == 1 }), 'a server in the foreground with syslog');
    is($server->stop, 0, 'stops');
    unlike($server->log_text, qr/listening|stopped/, 'and says nothing on standard error');
};

done_testing;
