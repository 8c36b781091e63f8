package Bench::Beside;

# What becomes of small answers while somebody else takes much: Q1 by wrk, one connection, alone
# and beside other clients, in turn.

use strict;
use warnings;
use Bench::Measure;
use Bench::Process;

# measure(%run): {idle} and {beside} p99 (and p50) in microseconds, medians over {rounds}; {with}
# starts the others and returns their process numbers. Other keys as of Bench::Measure::wrk.
sub measure {
    my (%run) = @_;
    my ($rounds, $with) = delete @run{qw(rounds with)};
    my (%seen, %result);
    for my $round (1 .. $rounds) {
        push @{ $seen{idle} }, Bench::Measure::wrk(%run);
        my @others = $with->();
        push @{ $seen{beside} }, Bench::Measure::wrk(%run);
        Bench::Process::stop($_) for @others;
    }
    for my $when (keys %seen) {
        $result{$when} = { map { my $figure = $_;
            $figure => median(map { $_->{$figure} } @{ $seen{$when} }) } qw(p50 p99 rate) };
    }
    $result{ratio} = median(map { $seen{beside}[$_]{p99} / ($seen{idle}[$_]{p99} || 1) } 0 .. $rounds - 1);
    return \%result;
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return ($sorted[ $#sorted / 2 ] + $sorted[ @sorted / 2 ]) / 2;
}

# say($name, $result): one line.
sub say {
    my ($name, $result) = @_;
    printf "%-28s Q1 idle p50 %.0f p99 %.0f us; beside p50 %.0f p99 %.0f us, %.1f times (goal: 3)\n", $name,
        (map { @{ $result->{$_} }{qw(p50 p99)} } qw(idle beside)), $result->{ratio};
}

1;
