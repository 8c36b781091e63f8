package Bench::Report;

# The figures as a table to read (text and Markdown from the same rows) and as JSON.

use strict;
use warnings;
use JSON::PP ();

# The columns that hold words.
my $WORDS = qr/^(?:query|peer)$/;

my @COLUMNS = (
    [ 'query',     sub { $_[0]{query} } ],
    [ 'conns',     sub { $_[0]{connections} } ],
    [ 'peer',      sub { $_[0]{peer} } ],
    [ 'req/s',     sub { _figure($_[0]{rate}) } ],
    [ 'GB/s',      sub { sprintf '%.2f', $_[0]{gb_rate} } ],
    [ 'p50 us',    sub { _figure($_[0]{p50}) } ],
    [ 'p99 us',    sub { _figure($_[0]{p99}) } ],
    [ 'CPU us',    sub { _figure($_[0]{cpu_us}) . ($_[0]{noisy} ? '~' : ' ') } ],
    [ 'CPU s/GB',  sub { sprintf '%.3f', $_[0]{cpu_gb} } ],
    [ 'server',    sub { sprintf '%.0f%%', 100 * $_[0]{server} } ],
    [ 'client',    sub { sprintf '%.0f%%', 100 * $_[0]{client} } ],
    [ 'CPU/nginx', sub { _ratio($_[0]{cpu_to_nginx}) } ],
    [ 'CPU/limit', sub { _ratio($_[0]{cpu_to_limit}) } ],
    [ 'rate/nginx', sub { _ratio($_[0]{rate_to_nginx}) } ],
    [ 'rate/limit', sub { _ratio($_[0]{rate_to_limit}) } ],
    [ 'CPU/tickd', sub { _ratio($_[0]{cpu_to_tickd}) } ],
    [ 'spread',    sub { sprintf '%.0f%%', 100 * $_[0]{spread} } ],
);

# The columns that say something: that of the first tickd only where there is a second.
sub _columns {
    my ($result) = @_;
    my $two = grep { defined $_->{cpu_to_tickd} } @{ $result->{cells} };
    return grep { $two || $_->[0] ne 'CPU/tickd' } @COLUMNS;
}

# Four significant digits are more than two noisy cores give.
sub _figure {
    my ($value) = @_;
    return sprintf $value >= 100 ? '%.0f' : $value >= 10 ? '%.1f' : '%.2f', $value;
}

sub _ratio {
    my ($value) = @_;
    return defined $value ? sprintf '%.2f', $value : '-';
}

# text($result): everything, for a terminal.
sub text {
    my ($result) = @_;
    my @columns = _columns($result);
    my @rows = ([ map { $_->[0] } @columns ]);
    my $last = '';
    for my $cell (@{ $result->{cells} }) {
        my $group = "$cell->{query} $cell->{connections}";
        push @rows, [] if $last ne $group;
        $last = $group;
        push @rows, [ map { $_->[1]->($cell) } @columns ];
    }
    return join "\n", _about($result, ''), '', _align(@rows), '', _extras($result, 0),
        (map { "* $_" } @{ $result->{verdict} }, @{ $result->{notes} }), '';
}

# markdown($result): the same as a section of a document.
sub markdown {
    my ($result) = @_;
    my @columns = _columns($result);
    my @head = map { $_->[0] } @columns;
    my @rows = map { my $cell = $_; [ map { $_->[1]->($cell) } @columns ] } @{ $result->{cells} };
    return join "\n", _about($result, '  '), '', _table(\@head, @rows), '', _extras($result, 1),
        (map { "* $_" } @{ $result->{verdict} }, @{ $result->{notes} }), '';
}

sub json {
    my ($result) = @_;
    return JSON::PP->new->canonical->pretty->encode($result);
}

sub _table {
    my ($head, @rows) = @_;
    my @names = map { s/\s+$//r } @$head;
    my @rules = map { $_ =~ $WORDS ? '---' : '---:' } @names;
    my @lines = ('| ' . join(' | ', @names) . ' |', '|' . join('|', @rules) . '|');
    push @lines, map { '| ' . join(' | ', map { s/\s+$//r } @$_) . ' |' } @rows;
    return @lines;
}

# Columns as wide as their widest entry; words to the left, numbers to the right.
sub _align {
    my @rows = @_;
    my @width;
    for my $row (@rows) {
        for my $i (0 .. $#$row) {
            my $length = length $row->[$i];
            $width[$i] = $length if $length > ($width[$i] // 0);
        }
    }
    my @format = map { ($rows[0][$_] =~ $WORDS ? '%-' : '%') . $width[$_] . 's' } 0 .. $#width;
    return map {
        my $row = $_;
        join('  ', map { sprintf $format[$_], $row->[$_] } 0 .. $#$row) =~ s/\s+$//r;
    } @rows;
}

sub _about {
    my ($result, $break) = @_;
    my $machine = $result->{machine};
    return map { "$_$break" } (
        "$result->{date}, $machine->{cores} x $machine->{model}, Linux $machine->{kernel}",
        "server on core $result->{server_cpu}, client on core $result->{client_cpu} "
            . "(one connection: both on core $result->{server_cpu}); medians of "
            . "$result->{rounds} rounds of $result->{seconds} s",
        join(', ', map { "$_: $result->{programs}{$_}" } sort keys %{ $result->{programs} }),
        'bodies: ' . join(', ', map { "$_->{id} $_->{title}, $_->{length} bytes" }
            @{ $result->{queries} }),
    );
}

# The single runs beside the table: ab, and all workers unpinned.
sub _extras {
    my ($result, $markdown) = @_;
    my $cores = $result->{machine}{cores};
    my @lines;
    for my $extra (
        [ ab       => 'ab -k, Q1, 64 connections, once' ],
        [ unpinned => "$cores workers, $cores client threads, nothing pinned, 64 connections, once" ],
    ) {
        my ($name, $title) = @$extra;
        my $rows = $result->{$name} or next;
        my @rows = map {
            [ $_->{query}, $_->{peer}, _figure($_->{rate}), _figure($_->{cpu_us}) ]
        } @$rows;
        my @head = ('query', 'peer', 'req/s', 'CPU us');
        push @lines, "$title:", '', $markdown ? _table(\@head, @rows) : _align(\@head, @rows), '';
    }
    return @lines;
}

1;
