package Bench::Data;

# The day files that are served, the queries on them, and what must come back: an oracle that
# reads the files itself and shares no code with the server.

use strict;
use warnings;
use Bench::Process;
use File::Path qw(make_path);
use Fcntl qw(SEEK_SET);
use POSIX qw(ceil);
use Time::Local qw(timegm);

# Columns of four bytes that follow "time" in a query, best known first; a series that lacks them
# is asked for those it has.
my @LIKED = qw(best_bid best_ask best_bid_volume best_ask_volume price volume nanos);

# Symbols without days beside the one series: a list of about 36 KB.
my $SYMBOLS = 1400;

# make($tickgen, $dir, $days, $rows): have $tickgen make days of one series in $dir, and beside them an
# exchange with nothing but symbols. They are then made to look old: a server may treat what changed a minute ago as still being written.
sub make {
    my ($tickgen, $dir, $days, $rows) = @_;
    Bench::Process::capture('tickgen', 600, $tickgen, '-d', $dir, '--days', $days, '--type', 'MD',
        '--symbols', 1, '--rows-per-day', $rows, '--seed', 1, '--start', '2025-01-01');
    make_path(map { sprintf '%s/many/S%04d-USD/MD', $dir, $_ } 1 .. $SYMBOLS);
    my $old = timegm(0, 0, 0, 1, 1, 2025);
    utime $old, $old, glob("$dir/*/*/*/*"), glob("$dir/*/*/*"), glob("$dir/*/*"), glob("$dir/*");
}

# new($dir): the first series found under $dir, with its days and its four-byte columns.
sub new {
    my ($class, $dir) = @_;
    my ($first) = sort glob("$dir/*/*/*/time.??.??.??.bin");
    die "bench: no day files in $dir\n" unless defined $first;
    my ($series, $exchange, $symbol, $type) = $first =~ m{^(.*/([^/]+)/([^/]+)/([^/]+))/time};
    my $self = bless {
        path => $series, exchange => $exchange, symbol => $symbol, type => $type,
    }, $class;
    $self->{days}    = [ _days($series) ];
    $self->{columns} = [ 'time', $self->_narrow_columns ];
    die "bench: $series has fewer than four columns of four bytes\n"
        if @{ $self->{columns} } < 4;
    return $self;
}

sub _days {
    my ($series) = @_;
    my @days;
    for my $file (glob("$series/time.*.bin")) {
        my ($dd, $mm, $yy) = $file =~ /time\.(\d\d)\.(\d\d)\.(\d\d)\.bin$/ or next;
        push @days, {
            suffix => "$dd.$mm.$yy.bin",
            start  => timegm(0, 0, 0, $dd, $mm - 1, 2000 + $yy),
            rows   => (-s $file) / 4,
        };
    }
    return sort { $a->{start} <=> $b->{start} } @days;
}

# Columns that are as long as "time" on the first day, the liked ones first.
sub _narrow_columns {
    my ($self) = @_;
    my $day = $self->{days}[0];
    my %have;
    for my $file (glob("$self->{path}/*.$day->{suffix}")) {
        my ($column) = $file =~ m{/([^/]+)\.\Q$day->{suffix}\E$};
        $have{$column} = 1 if $column ne 'time' && -s $file == 4 * $day->{rows};
    }
    my @liked = grep { delete $have{$_} } @LIKED;
    return (@liked, sort keys %have);
}

sub _file {
    my ($self, $column, $day) = @_;
    open(my $fh, '<:raw', "$self->{path}/$column.$day->{suffix}")
        or die "bench: $self->{path}/$column.$day->{suffix}: $!\n";
    return $fh;
}

# $count records of four bytes from row $row on, as bytes.
sub _read {
    my ($fh, $row, $count) = @_;
    sysseek $fh, 4 * $row, SEEK_SET or die "bench: seek: $!\n";
    my $bytes = '';
    while (length $bytes < 4 * $count) {
        my $n = sysread $fh, $bytes, 4 * $count - length $bytes, length $bytes;
        die "bench: a day file is shorter than it was\n" unless $n;
    }
    return $bytes;
}

# The first row of a day whose second is at least $second (made-up days are sorted).
sub _row_from {
    my ($self, $day, $second) = @_;
    my $fh = $day->{time} //= $self->_file('time', $day);
    my ($low, $high) = (0, $day->{rows});
    while ($low < $high) {
        my $middle = int(($low + $high) / 2);
        if (unpack('V', _read($fh, $middle, 1)) < $second) { $low = $middle + 1 }
        else                                               { $high = $middle }
    }
    return $low;
}

# [day, first row, rows] for each day that has rows in the range, both ends inclusive.
sub _spans {
    my ($self, $start, $end) = @_;
    my @spans;
    for my $day (@{ $self->{days} }) {
        my $from = $self->_row_from($day, $start);
        my $to   = $self->_row_from($day, $end + 1);
        push @spans, [ $day, $from, $to - $from ] if $to > $from;
    }
    return @spans;
}

# The range from $start on, in whole seconds, whose rows come nearest to $rows.
sub _range_of_rows {
    my ($self, $start, $rows) = @_;
    my ($end, $before) = ($start, 0);
    for (;; $end++) {
        my $count = 0;
        $count += $_->[2] for $self->_spans($start, $end);
        if ($count >= $rows) {
            $end-- if $before && $rows - $before < $count - $rows;
            return ($start, $end);
        }
        die "bench: there are no $rows rows after $start\n" if $end - $start > 86400;
        $before = $count;
    }
}

# All queries, in order. ${connections} are the numbers worth measuring: what moves hundreds of
# megabytes at once says nothing new with 64.
sub queries {
    my ($self) = @_;
    my @days = @{ $self->{days} };
    my $day  = $days[ @days / 2 ];
    my $noon = $day->{start} + 12 * 3600;
    my @all  = ($days[0]{start}, $days[-1]{start} + 86399);
    my @queries = (
        [ 'Q1', 'tiny: 200 rows x 2',        2, [ 1, 4, 64 ], $self->_range_of_rows($noon, 200) ],
        [ 'Q2', 'small: 4096 rows x 2',      2, [ 1, 4, 64 ], $self->_range_of_rows($noon, 4096) ],
        [ 'Q3', 'one hour x 4',              4, [ 1, 4, 64 ], $noon, $noon + 3599 ],
        [ 'Q4', 'one day x 2',               2, [ 1, 4 ], $day->{start}, $day->{start} + 86399 ],
        [ 'Q5', 'all days x 2',              2, [ 1, 4 ], @all ],
        [ 'Q6', 'all days, max_points=2000', 2, [ 1, 4, 64 ], @all, 2000 ],
    );
    my @made = map { $self->_query(@$_) } @queries;
    my %list = (connections => [ 1, 64 ], target => '/api/symbols');
    push @made, {
        %list, id => 'Q7', title => 'symbols of one exchange', target => "$list{target}?exchange=$self->{exchange}",
    }, { %list, id => 'Q8', title => 'all symbols' };
    return @made;
}

sub _query {
    my ($self, $id, $title, $width, $connections, $start, $end, $max_points) = @_;
    my @columns = @{ $self->{columns} }[ 0 .. $width - 1 ];
    my $target = "/api/data?exchange=$self->{exchange}&symbol=$self->{symbol}&type=$self->{type}"
        . '&columns=' . join(',', @columns) . "&start=$start&end=$end"
        . ($max_points ? "&max_points=$max_points" : '');
    return {
        id => $id, title => $title, connections => $connections, target => $target,
        columns => \@columns, start => $start, end => $end, max_points => $max_points,
    };
}

# expected($query, $path): write the body that the contract demands to $path; false if the oracle
# does not know this query.
sub expected {
    my ($self, $query, $path) = @_;
    return 0 unless $query->{columns};
    my @spans = $self->_spans($query->{start}, $query->{end});
    my $total = 0;
    $total += $_->[2] for @spans;
    my $stride = $query->{max_points} ? ceil($total / $query->{max_points}) || 1 : 1;
    my $rows = ceil($total / $stride);

    open(my $out, '>:raw', $path) or die "bench: $path: $!\n";
    print {$out} $self->_line($query, $total, $rows);
    for my $column (@{ $query->{columns} }) {
        my $before = 0;
        for my $span (@spans) {
            my ($day, $from, $count) = @$span;
            my $fh = $self->_file($column, $day);
            print {$out} $stride == 1
                ? _read($fh, $from, $count)
                : _every($fh, $from, $count, $stride, $before);
            $before += $count;
        }
    }
    close $out or die "bench: $path: $!\n";
    return 1;
}

# Every $stride-th of $count rows, counted from $before rows ago.
sub _every {
    my ($fh, $from, $count, $stride, $before) = @_;
    my $bytes = _read($fh, $from, $count);
    my $taken = '';
    for (my $row = -$before % $stride; $row < $count; $row += $stride) {
        $taken .= substr $bytes, 4 * $row, 4;
    }
    return $taken;
}

# The line of JSON before the columns, padded to a multiple of 64.
sub _line {
    my ($self, $query, $total, $rows) = @_;
    my ($offset, @columns) = (0);
    for my $column (@{ $query->{columns} }) {
        my $type = $column =~ /^(?:time|nanos|side)$/ ? 'u32' : 'f32';
        push @columns, sprintf '{"name":"%s","type":"%s","record_size":4,"num_records":%d,'
            . '"data_length":%d,"offset":%d}', $column, $type, $rows, 4 * $rows, $offset;
        $offset += 4 * $rows;
    }
    my $line = sprintf '{"version":1,"exchange":"%s","symbol":"%s","type":"%s",'
        . '"rows_in_range":%d,"skipped_days":[],"columns":[%s]}',
        @$self{qw(exchange symbol type)}, $total, join(',', @columns);
    return $line . ' ' x (-(length($line) + 1) % 64) . "\n";
}

1;
