package Bench::Measure;

# One run of a load generator against one peer: what it got, what the server's processors paid,
# and what else ran on the machine meanwhile.

use strict;
use warnings;
use Bench::Peer;
use Bench::Process;
use POSIX qw(sysconf _SC_CLK_TCK);
use Time::HiRes qw(time);

my $TICK = sysconf(_SC_CLK_TCK);

# wrk(%run): ${run} holds peer, query, connections, seconds, cpu (where
# wrk runs), threads, script, length (of the body). Returns the figures of one round.
sub wrk {
    my (%run) = @_;
    my @command = (Bench::Peer::pin($run{cpu}), 'wrk', '-t', $run{threads} // 1,
        '-c', $run{connections}, '-d', "$run{seconds}s", '--timeout', '60s',
        '-s', $run{script}, $run{peer}->url($run{query}));

    my $before = _snapshot($run{peer}, $run{query});
    my $output = Bench::Process::capture('wrk', $run{seconds} + 60, @command);
    my $after = _snapshot($run{peer}, $run{query});

    my ($requests, $us, $bytes, $errors, $p50, $p99) = $output =~ /^BENCH (.*)$/m
        ? map { $_ + 0 } split(' ', $1) : die "wrk said:\n$output";
    die $run{peer}->name . " $run{query}{id}: $errors errors of $requests requests\n" if $errors;
    die $run{peer}->name . " $run{query}{id}: no request was done in $run{seconds} s\n"
        unless $requests || ($run{length} >= 1e6 && $bytes);
    # What is under way when wrk stops has been paid for, and with large answers is much.
    my $answers = $run{length} >= 1e6 ? $bytes / $run{length} : $requests;
    my $cpu = $after->{server} - $before->{server};
    return {
        rate       => $answers / ($us / 1e6),
        gb_rate    => $bytes / 1e9 / ($us / 1e6),
        p50        => $p50,
        p99        => $p99,
        cpu_us     => $cpu / 1e3 / $answers,
        cpu_gb     => $cpu / $bytes,
        requests   => $requests,
        server     => $cpu / 1e9 / ($us / 1e6),
        _machine($before, $after, $us / 1e6),
    };
}

# ab(%run): the same with "ab -k", as many requests as it does in the time.
sub ab {
    my (%run) = @_;
    my @command = (Bench::Peer::pin($run{cpu}), 'ab', '-k', '-q', '-c', $run{connections},
        '-t', $run{seconds}, '-n', 10_000_000, $run{peer}->url($run{query}));
    my $before = _snapshot($run{peer}, $run{query});
    my $output = Bench::Process::capture('ab', $run{seconds} + 60, @command);
    my $after = _snapshot($run{peer}, $run{query});
    my %got;
    for (
        [ requests => qr/^Complete requests:\s+(\d+)/m ],
        [ failed   => qr/^Failed requests:\s+(\d+)/m ],
        [ kept_alive => qr/^Keep-Alive requests:\s+(\d+)/m ],
        [ rate     => qr/^Requests per second:\s+([\d.]+)/m ],
    ) {
        my ($name, $pattern) = @$_;
        $output =~ $pattern or die "ab said:\n$output";
        $got{$name} = $1 + 0;
    }
    die $run{peer}->name . ": ab counts $got{failed} failures\n" if $got{failed};
    return { %got, cpu_us => ($after->{server} - $before->{server}) / 1e3 / $got{requests} };
}

sub _snapshot {
    my ($peer, $query) = @_;
    my %now = (server => $peer->cpu_ns($query), time => time);
    my (undef, undef, $user, $system) = times;
    $now{client} = $user + $system;
    for (split /\n/, Bench::Process::slurp('/proc/stat')) {
        my ($busy, $steal) = _cpu_line($_) or next;
        $now{busy}  = $busy;
        $now{steal} = $steal;
        last;
    }
    return \%now;
}

# Busy and stolen seconds of all cores together, from the first line of /proc/stat.
sub _cpu_line {
    my ($line) = @_;
    my ($user, $nice, $system, $idle, $wait, $irq, $softirq, $steal) =
        $line =~ /^cpu\s+(.*)/ ? split ' ', $1 : return;
    return (($user + $nice + $system + $irq + $softirq) / $TICK, ($steal // 0) / $TICK);
}

# The client's share of a core, and what was neither it nor the server: stolen by the host, or
# used by other processes here (with the resolution of a clock tick).
sub _machine {
    my ($before, $after, $seconds) = @_;
    my $client = $after->{client} - $before->{client};
    my $others = $after->{busy} - $before->{busy} - $client
        - ($after->{server} - $before->{server}) / 1e9;
    return (
        client => $client / $seconds,
        others => ($others > 0 ? $others : 0) / $seconds,
        steal  => ($after->{steal} - $before->{steal}) / $seconds,
    );
}

1;
