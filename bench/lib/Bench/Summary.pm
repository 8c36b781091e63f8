package Bench::Summary;

# From rounds to figures: medians, spreads, ratios, and whether the machine was quiet enough for
# them to mean anything.

use strict;
use warnings;

# Beyond these a figure is marked: a core's share that others had, and the width of the middle
# half of the rounds (all of them, if fewer than four) relative to their median.
our $MAX_STOLEN = 0.03;
our $MAX_SPREAD = 0.10;

my @FIGURES = qw(rate gb_rate p50 p99 cpu_us cpu_gb server client others steal requests);

sub median {
    my @sorted = sort { $a <=> $b } @_;
    my $middle = int(@sorted / 2);
    return @sorted % 2 ? $sorted[$middle] : ($sorted[ $middle - 1 ] + $sorted[$middle]) / 2;
}

sub spread {
    my @sorted = sort { $a <=> $b } @_;
    my $cut = @sorted < 4 ? 0 : int(@sorted / 4);
    my $median = median(@sorted);
    return $median ? ($sorted[ -1 - $cut ] - $sorted[$cut]) / $median : 0;
}

# cell(@rounds): the medians of every figure, the spread and range of CPU time per request.
sub cell {
    my (@rounds) = @_;
    my %cell = (rounds => \@rounds);
    for my $figure (@FIGURES) {
        $cell{$figure} = median(map { $_->{$figure} } @rounds);
    }
    my @cpu = sort { $a <=> $b } map { $_->{cpu_us} } @rounds;
    $cell{cpu_range} = [ @cpu[ 0, -1 ] ];
    my @rates = sort { $a <=> $b } map { $_->{rate} } @rounds;
    $cell{rate_range} = [ @rates[ 0, -1 ] ];
    $cell{spread} = spread(@cpu);
    my $stolen = $cell{others} + $cell{steal};
    $cell{noisy} = $cell{spread} > $MAX_SPREAD || $stolen > $MAX_STOLEN ? 1 : 0;
    return \%cell;
}

# relate(@cells): add to the cells of one query and number of connections what they are relative
# to nginx, to the best limit (of CPU time and of rate, each for itself) and, where there are two,
# to the first tickd. A ratio is the median of those within each round, between runs that were
# seconds apart: so it holds where the machine's own speed drifts.
sub relate {
    my (@cells) = @_;
    my ($nginx) = grep { $_->{kind} eq 'nginx' } @cells;
    my ($tickd, $second) = grep { $_->{kind} eq 'tickd' } @cells;
    my @limits = grep { $_->{kind} eq 'limit' } @cells;
    my ($cheapest) = sort { $a->{cpu_us} <=> $b->{cpu_us} } @limits;
    my ($fastest)  = sort { $b->{rate} <=> $a->{rate} } @limits;
    for my $cell (@cells) {
        $cell->{cpu_to_nginx}  = _ratio($cell, $nginx, 'cpu_us');
        $cell->{rate_to_nginx} = _ratio($cell, $nginx, 'rate');
        $cell->{cpu_to_limit}  = _ratio($cell, $cheapest, 'cpu_us');
        $cell->{rate_to_limit} = _ratio($cell, $fastest, 'rate');
        $cell->{cpu_to_tickd}  = _ratio($cell, $tickd, 'cpu_us') if $second;
    }
}

sub _ratio {
    my ($cell, $other, $figure) = @_;
    return unless $other;
    my ($these, $those) = ($cell->{rounds}, $other->{rounds});
    return median(map { $these->[$_]{$figure} / $those->[$_]{$figure} } 0 .. $#$these);
}

# verdict(@cells): sentences on how far the figures can be trusted.
sub verdict {
    my (@cells) = @_;
    my $noisy  = grep { $_->{noisy} } @cells;
    my $steal  = median(map { $_->{steal} } @cells);
    my $others = median(map { $_->{others} } @cells);
    my @said = sprintf 'Of the run\'s time the host took %.1f %% of a core, other processes '
        . '%.1f %%.', 100 * $steal, 100 * $others;
    if ($noisy > @cells / 4) {
        push @said, "TOO NOISY TO TRUST: $noisy of " . @cells . ' figures wavered by more than '
            . 100 * $MAX_SPREAD . ' % or shared their cores with others. Run again when the '
            . 'machine is quiet.';
    }
    elsif ($noisy) {
        push @said, "$noisy of " . @cells . ' figures, marked ~, wavered by more than '
            . 100 * $MAX_SPREAD . ' % or shared their cores with others.';
    }
    else { push @said, 'No figure wavered by more than ' . 100 * $MAX_SPREAD . ' %.' }
    return @said;
}

1;
