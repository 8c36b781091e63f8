package Bench::Process;

# The processes of a benchmark: started, pinned, asked what they have used, and stopped by their
# numbers, whatever ends the run.

use strict;
use warnings;
use POSIX qw(WNOHANG _exit);
use Time::HiRes qw(sleep time);

my %running;    # number => name, of what this process has started and not yet reaped
my $owner = $$;

# spawn($name, $log, @command): start @command with its output in the file $log (a handle is
# taken too); returns its number.
sub spawn {
    my ($name, $log, @command) = @_;
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        open STDIN, '<', '/dev/null' or _exit(126);
        if (ref $log) { open STDOUT, '>&', $log or _exit(126) }
        else          { open STDOUT, '>', $log  or _exit(126) }
        open STDERR, '>&', \*STDOUT or _exit(126);
        { no warnings 'exec'; exec { $command[0] } @command }
        print STDERR "$command[0]: $!\n";
        _exit(127);
    }
    $running{$pid} = $name;
    return $pid;
}

# Whether it still runs; one that has ended is reaped.
sub alive {
    my ($pid) = @_;
    return 0 unless $running{$pid};
    return 1 if waitpid($pid, WNOHANG) == 0;
    delete $running{$pid};
    return 0;
}

# stop($pid, $patience): ask it to end; after $patience (five) seconds it and its descendants are
# killed.
sub stop {
    my ($pid, $patience) = @_;
    return unless alive($pid);
    my @family = family($pid);
    kill TERM => $pid;
    my $deadline = time + ($patience // 5);
    while (alive($pid)) {
        if (time > $deadline) {
            kill KILL => @family;
            waitpid $pid, 0;
            delete $running{$pid};
            return;
        }
        sleep 0.02;
    }
}

sub stop_all {
    stop($_) for keys %running;
}

# Signals become an ordinary end, so that END below sees to what runs.
sub end_on_signals {
    for my $signal (qw(INT TERM HUP PIPE)) {
        $SIG{$signal} = sub { die "ended by SIG$signal\n" };
    }
}

END {
    if ($$ == $owner) {
        my $status = $?;
        local @SIG{qw(INT TERM HUP PIPE)} = ('IGNORE') x 4;
        stop_all();
        $? = $status;
    }
}

# capture($name, $seconds, @command): run @command to its end, at most $seconds, and return its
# output; dies if it failed.
sub capture {
    my ($name, $seconds, @command) = @_;
    pipe my $read, my $write or die "pipe: $!\n";
    my $pid = spawn($name, $write, @command);
    close $write;
    my $output = '';
    eval {
        local $SIG{ALRM} = sub { die "$name took longer than $seconds s\n" };
        alarm $seconds;
        1 while sysread $read, $output, 65536, length $output;
        alarm 0;
        1;
    } or do { my $error = $@; alarm 0; stop($pid); die $error };
    waitpid $pid, 0;
    delete $running{$pid};
    die "$name failed:\n$output" if $? != 0;
    return $output;
}

# family($pid): it and all its descendants.
sub family {
    my ($pid) = @_;
    my %children;
    for my $stat (glob '/proc/[0-9]*/stat') {
        my $text = slurp($stat) // next;
        my ($number, $parent) = $text =~ /^(\d+) \(.*\) \S (\d+)/s or next;
        push @{ $children{$parent} }, $number;
    }
    my @family = ($pid);
    for (my $i = 0; $i < @family; $i++) {
        push @family, @{ $children{ $family[$i] } // [] };
    }
    return @family;
}

# cpu_ns($pid): nanoseconds on a processor of it, its descendants and all their threads.
sub cpu_ns {
    my ($pid) = @_;
    my $sum = 0;
    for my $member (family($pid)) {
        for my $file (glob "/proc/$member/task/[0-9]*/schedstat") {
            my ($ns) = split ' ', slurp($file) // next;
            $sum += $ns;
        }
    }
    return $sum;
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or return;
    local $/;
    return scalar <$fh>;
}

1;
