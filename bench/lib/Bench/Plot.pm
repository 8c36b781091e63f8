package Bench::Plot;

# The figures as one picture: four panels of bars, one colour per peer throughout, whiskers from
# the least to the greatest round. Written as a gnuplot script with its data inside, so that the
# picture can be drawn again.

use strict;
use warnings;
use Bench::Process;

# Distinguishable also to the colour-blind: greys are the limits, which nobody competes with.
my %COLOUR = (
    'tickd' => '#0072b2', 'nginx' => '#009e73', 'h2o' => '#e69f00',
    'limit epoll-writev' => '#999999', 'limit epoll-sendfile' => '#bbbbbb',
    'limit uring-fixed' => '#666666',
);
my @MORE = ('#cc79a7', '#56b4e9', '#d55e00', '#f0e442');

# draw($result, $dir): write plot.gp, plot.png and plot.svg to $dir. Returns what went wrong.
sub draw {
    my ($result, $dir) = @_;
    my @panels = grep { @{ $_->{groups} } } _panels($result->{cells});
    return 'nothing to draw' unless @panels;
    my @peers = _peers($result->{cells});
    open my $fh, '>', "$dir/plot.gp" or return "$dir/plot.gp: $!";
    print {$fh} _script($result, \@peers, \@panels);
    close $fh or return "$dir/plot.gp: $!";
    for my $format ([ png => 'pngcairo' ], [ svg => 'svg' ]) {
        my ($suffix, $terminal) = @$format;
        my $size = 'size 1500,1000';
        my $done = eval {
            Bench::Process::capture('gnuplot', 60, 'gnuplot', '-e',
                "set terminal $terminal $size font 'DejaVu Sans,11' background '#ffffff'; "
                . "set output '$dir/plot.$suffix'", "$dir/plot.gp");
            1;
        };
        return $@ unless $done;
    }
    return;
}

sub _peers {
    my ($cells) = @_;
    my (%seen, @peers);
    $seen{ $_->{peer} }++ or push @peers, $_->{peer} for @$cells;
    return @peers;
}

# What each panel shows: the cells, the figure, its whiskers.
sub _panels {
    my ($cells) = @_;
    my $most = sub {    # the most connections above one that a query was measured with
        my ($cell) = @_;
        my ($most) = sort { $b <=> $a }
            map { $_->{connections} } grep { $_->{query} eq $cell->{query} } @$cells;
        return $most > 1 && $cell->{connections} == $most;
    };
    my $small = sub { $_[0]{length} < 1e6 };
    my $gb = sub {
        my ($cell) = @_;
        return map { $_ * $cell->{cpu_gb} / $cell->{cpu_us} } @{ $cell->{cpu_range} };
    };
    return map { _panel($cells, @$_) } (
        [ 'CPU time per request, small answers (us; less is better)',
            sub { $small->(@_) && $most->(@_) }, 'cpu_us', sub { @{ $_[0]{cpu_range} } } ],
        [ 'Requests per second, small answers (more is better)',
            sub { $small->(@_) && $most->(@_) }, 'rate', sub { @{ $_[0]{rate_range} } } ],
        [ 'CPU time per GB, large answers (s; less is better)',
            sub { !$small->(@_) && $most->(@_) }, 'cpu_gb', $gb ],
        [ 'Median latency, one connection, both on one core (us; less is better)',
            sub { $small->(@_) && $_[0]{connections} == 1 }, 'p50', undef ],
    );
}

sub _panel {
    my ($cells, $title, $wanted, $figure, $range) = @_;
    my (%groups, @order);
    for my $cell (grep { $wanted->($_) } @$cells) {
        my $group = "$cell->{query}, $cell->{connections} conn.";
        push @order, $group unless $groups{$group};
        my @range = $range ? $range->($cell) : ($cell->{$figure}) x 2;
        $groups{$group}{ $cell->{peer} } = [ $cell->{$figure}, @range ];
    }
    return { title => $title, groups => [ map { [ $_, $groups{$_} ] } @order ] };
}

sub _script {
    my ($result, $peers, $panels) = @_;
    my $rows = @$panels > 2 ? 2 : 1;
    my $columns = @$panels > 1 ? 2 : 1;
    my $script = "# By bench/compare; gnuplot draws it again, given a terminal and an output.\n"
        . "set multiplot layout $rows,$columns margins 0.06,0.98,0.06,0.88 spacing 0.07,0.12 "
        . "title \"$result->{title}\" font ',14'\n"
        . "set boxwidth 0.9\nset style fill solid noborder\nset grid ytics lt 1 lc rgb '#dddddd'\n"
        . "set border 3\nset tics nomirror\nset yrange [0:*]\n";
    my $number = 0;
    $script .= _draw_panel($peers, $_, $number++) for @$panels;
    return $script . "unset multiplot\n";
}

# Bars stand side by side in their group, without gaps for peers that are not in it.
sub _draw_panel {
    my ($peers, $panel, $number) = @_;
    my (%bars, @tics);
    my $x = 0;
    for my $group (@{ $panel->{groups} }) {
        my ($label, $values) = @$group;
        my @here = grep { $values->{$_} } @$peers;
        push @tics, sprintf '"%s" %.2f', $label, $x + (@here - 1) / 2;
        $bars{$_} .= join(' ', $x++, @{ $values->{$_} }) . "\n" for @here;
        $x += 1;
    }
    my (@data, @plots);
    my $index = 0;
    for my $peer (grep { $bars{$_} } @$peers) {
        my $block = "\$p${number}_" . $index++;
        push @data, "$block << EOD\n$bars{$peer}EOD\n";
        my $colour = _colour($peer, $peers);
        push @plots, "$block using 1:2 with boxes lc rgb '$colour' title '$peer'",
            "$block using 1:3:(0):(\$4-\$3) with vectors nohead lw 1.5 lc rgb '#333333' notitle",
            "$block using 1:4:(_text(\$2)) with labels offset 0,0.6 font ',8' notitle";
    }
    my $right = $x - 1.4;
    return join '', @data,
        "_text(v) = v >= 1000 ? sprintf('%.0fk', v/1000) : v >= 100 ? sprintf('%.0f', v) "
        . ": v >= 10 ? sprintf('%.1f', v) : sprintf('%.2f', v)\n",
        "set title '$panel->{title}'\nset xtics (", join(', ', @tics), ")\n",
        "set key top left horizontal font ',9' samplen 1\n",
        "set xrange [-0.8:$right]\nset offsets 0,0,graph 0.22,0\n",
        'plot ', join(', ', @plots), "\n";
}

sub _colour {
    my ($peer, $peers) = @_;
    return $COLOUR{$peer} if $COLOUR{$peer};
    my @strange = grep { !$COLOUR{$_} } @$peers;
    my ($at) = grep { $strange[$_] eq $peer } 0 .. $#strange;
    return $MORE[ $at % @MORE ];
}

1;
