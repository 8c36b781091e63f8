package Tickd::Trace;

# What a server asks of the kernel, as strace(1) sees it.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Exporter 'import';
use POSIX ();
use Test::More;
use Tickd;
use Tickd::Data qw(read_file);

our @EXPORT_OK = qw(traceable traced);

# traceable(): whether there is a strace that may trace a process.
sub traceable () {
    my $dir = scratch();
    return 0 if !grep { -x "$_/strace" } split /:/, $ENV{PATH};
    my $pid = Tickd::child([ 'sleep', '60' ], "$dir/out", "$dir/err");
    my $strace = Tickd::child([ 'strace', '-o', "$dir/calls", '-p', $pid ], "$dir/out", "$dir/err");
    my $may = wait_for(10, sub {
        return 1 if read_file("/proc/$pid/status") =~ /^TracerPid:\s+[1-9]/m;
        return waitpid($strace, POSIX::WNOHANG()) ? -1 : 0;
    });
    kill 'KILL', $pid;
    waitpid $_, 0 for $pid, $strace;
    return ($may || 0) > 0;
}

# traced(WORKER, CODE): what strace says of all threads of the worker while CODE runs.
sub traced ($worker, $code) {
    my $dir = scratch();
    my $threads = () = glob "/proc/$worker/task/*";
    my $pid = Tickd::child([ 'strace', '-f', '-s', '40', '-o', "$dir/calls", '-p', $worker ], "$dir/out", "$dir/err");
    my $attached = wait_for(20, sub {
        return 1 if $threads <= grep { read_file("$_/status") =~ /^TracerPid:\s+[1-9]/m } glob "/proc/$worker/task/*";
        return waitpid($pid, POSIX::WNOHANG()) ? -1 : 0;
    });
    if (($attached || 0) < 0) {
        diag read_file("$dir/err");
        return;
    }
    $code->();
    kill 'INT', $pid;
    waitpid $pid, 0;
    return split /\n/, read_file("$dir/calls");
}

1;
