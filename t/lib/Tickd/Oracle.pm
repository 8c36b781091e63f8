package Tickd::Oracle;

# What GET /api/data must answer, computed from the files on disk on its own and by brute force:
# every row of every day in question is looked at. Written from API.md, not from the server.
#
# Rows are kept as spans [first, count] of a day, so that large answers can be built; spans come
# from a look at each row, never from a search. For large files that do not change (keep) the rows
# below each second are counted once instead.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Tickd::Data qw(day_in_file iso_of type_of size_of file_of read_file);
use Time::Local qw(timegm_modern);

use constant U32_MAX => 4294967295;

# new(data =>, exchange =>, types =>, missing =>, unsorted =>, live_grace =>, live_window =>,
#     max_columns =>): the server's configuration. keep => 1 keeps files that do not change in memory;
# now => seconds is the server's clock, if it is not that of the system.
sub new ($class, %opt) {
    return bless {
        exchange => 'coinbase', types => {}, missing => 'error', unsorted => 'serve',
        live_grace => 900, live_window => 60, max_columns => 64, %opt, files => {},
    }, $class;
}

# refuse(STATUS, PARAMETER, WHY)
sub refuse ($status, $parameter, $why) {
    die { status => $status, parameter => $parameter, why => $why };
}

# answer(NAME => VALUE, ...): decoded parameters, in order. {status => 200, body, line, rows, body_of}
# or {status, parameter, why, files (paths relative to DATA of which an error may name one)}.
# {unsure => why} where the contract leaves it open.
sub answer ($self, @pairs) {
    my $answer = eval { $self->_answer(@pairs) };
    return $answer if defined $answer;
    die $@ if ref $@ ne 'HASH';
    return $@;
}

my %KNOWN = map { $_ => 1 }
    qw(symbol type columns start end exchange limit tail max_points downsample format missing framing);

sub _answer ($self, @pairs) {
    my %p;
    while (my ($name, $value) = splice @pairs, 0, 2) {
        next if $name =~ /\A_/;
        refuse(400, $name, 'unknown') if !$KNOWN{$name};
        refuse(400, $name, 'twice') if exists $p{$name};
        $p{$name} = $value;
    }
    delete @p{ grep { $p{$_} eq '' } keys %p };

    for my $name (qw(symbol type columns)) {
        refuse(400, $name, 'required') if !defined $p{$name};
    }
    my $q = { exchange => $p{exchange} // $self->{exchange}, symbol => $p{symbol}, type => $p{type} };
    valid_name($q->{$_}) or refuse(400, $_, 'bad name') for qw(exchange symbol type);
    $q->{columns} = [ map { s/\A +//r =~ s/ +\z//r } split /,/, $p{columns}, -1 ];
    refuse(400, 'columns', 'too many') if @{ $q->{columns} } > $self->{max_columns};
    my %seen;
    for my $column (@{ $q->{columns} }) {
        valid_name($column) or refuse(400, 'columns', 'bad name');
        refuse(400, 'columns', 'twice') if $seen{$column}++;
    }
    for my $name (qw(limit tail)) {
        next if !defined $p{$name};
        $p{$name} =~ /\A[0-9]{1,19}\z/ && $p{$name} > 0 or refuse(400, $name, 'not a number from 1');
    }
    refuse(400, [qw(limit tail)], 'both') if defined $p{limit} && defined $p{tail};
    if (defined $p{max_points}) {
        $p{max_points} =~ /\A[0-9]{1,19}\z/ or refuse(400, 'max_points', 'not a number');
        refuse(400, [qw(max_points limit tail)], 'both') if defined $p{limit} || defined $p{tail};
    }
    refuse(400, 'downsample', 'unknown') if ($p{downsample} // 'stride') ne 'stride';
    refuse(400, 'format', 'unknown') if ($p{format} // 'raw') ne 'raw';
    my $missing = $p{missing} // $self->{missing};
    refuse(400, 'missing', 'unknown') if $missing !~ /\A(?:error|skip|prefix)\z/;
    refuse(400, 'framing', 'unknown') if ($p{framing} // 'chunked') !~ /\A(?:chunked|length)\z/;

    refuse(400, 'end', 'required') if !defined $p{end};
    refuse(400, 'start', 'required') if !defined $p{start} && !defined $p{tail};
    my $start = defined $p{start} ? bound('start', $p{start}) : [ 0, 0, 0 ];
    my $end = bound('end', $p{end});
    refuse(400, [qw(start end)], 'start > end')
        if $start->[0] > $end->[0] || ($start->[0] == $end->[0] && $start->[1] > $end->[1]);

    return $self->_rows($q, \%p, $start, $end, $missing);
}

sub valid_name ($name) {
    return $name =~ /\A[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,63}\z/ && $name !~ /\.\./;
}

# bound(NAME, TEXT): [seconds, nanoseconds, whether decimals were written].
sub bound ($name, $text) {
    my $last = $name eq 'end' ? 999_999_999 : 0;
    my @bound;
    if ($text =~ /\A[0-9]+\z/) {
        refuse(400, $name, length $text >= 12 ? 'milliseconds' : 'outside u32') if $text > U32_MAX;
        @bound = ($text + 0, $last, 0);
    } elsif ($text =~ /\A(\d{4})-(\d\d)-(\d\d)\z/) {
        my $at = eval { timegm_modern(0, 0, 0, $3, $2 - 1, $1) } // refuse(400, $name, 'no such date');
        @bound = ($at + ($name eq 'end' ? 86399 : 0), $last, 0);
    } elsif ($text =~ /\A(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))\z/) {
        my ($fraction, $sign, $hours, $minutes) = ($7, $8, $9, $10);
        my $at = eval { timegm_modern($6, $5, $4, $3, $2 - 1, $1) } // refuse(400, $name, 'no such time');
        if (defined $sign) {
            refuse(400, $name, 'no such zone') if $hours > 23 || $minutes > 59;
            $at -= ($sign eq '-' ? -1 : 1) * ($hours * 3600 + $minutes * 60);
        }
        @bound = defined $fraction ? ($at, substr($fraction . '0' x 9, 0, 9) + 0, 1) : ($at, $last, 0);
    } else {
        refuse(400, $name, 'no time');
    }
    refuse(400, $name, 'outside u32') if $bound[0] < 0 || $bound[0] > U32_MAX;
    return \@bound;
}

# _rows: the query is well-formed; what does the disk say?
sub _rows ($self, $q, $p, $start, $end, $missing) {
    my $data = $self->{data};
    for my $level ([ 'exchange', $q->{exchange} ], [ 'symbol', "$q->{exchange}/$q->{symbol}" ],
        [ 'type', "$q->{exchange}/$q->{symbol}/$q->{type}" ])
    {
        refuse(404, $level->[0], 'absent') if !-d "$data/$level->[1]";
    }
    my $series = "$q->{exchange}/$q->{symbol}/$q->{type}";

    # What there is: {column}{day} of regular files.
    my %have;
    opendir my $dir, "$data/$series" or die "$series: $!";
    for my $file (readdir $dir) {
        my ($column, $day) = day_in_file($file) or next;
        $have{$column}{$day} = "$series/$file" if -f "$data/$series/$file";
    }
    closedir $dir;
    for my $column (@{ $q->{columns} }) {
        refuse(404, 'columns', "no $column") if !$have{$column};
    }

    # Decimals count where the series has nanos, else the bounds move to whole seconds.
    my $fine = ($start->[2] || $end->[2]) && $have{nanos};
    my ($s, $sn, $e, $en) = ($start->[0], $start->[1], $end->[0], $end->[1]);
    if (!$fine) {
        ($s, $sn) = ($s + 1, 0) if $sn > 0;
        $en = 999_999_999;
    }

    my @wanted = do { my %once; grep { !$once{$_}++ } @{ $q->{columns} }, $fine ? 'nanos' : () };
    my (@spans, @skipped);
    my $rows = 0;
    for my $day (sort { $a <=> $b } keys %{ $have{time} // {} }) {
        next if $day < int($s / 86400) - 1 || $day > int($e / 86400) + 1;
        my $time = $self->_file($have{time}{$day});
        my @lengths = map {
            my $file = $have{$_}{$day};
            defined $file
                ? int($self->_file($file)->{size} / size_of(type_of($q->{exchange}, $q->{type}, $_, $self->{types})))
                : undef;
        } @wanted;
        my $all = int($time->{size} / 4);
        my $least = $all;
        my $whole = 1;
        for my $length (@lengths) {
            $whole = 0 if !defined $length || $length != $all;
            $least = $length // 0 if ($length // 0) < $least;
        }
        my $usable = $all;
        if ($self->_live($day, map { $have{$_}{$day} // () } 'time', @wanted)) {
            $usable = $least;
        } elsif (!$whole) {
            # Rows in the range, by the clock that is whole.
            my $nanos = $fine && defined $have{nanos}{$day} ? $self->_file($have{nanos}{$day}) : undef;
            my $coarse = $self->_spans($time, undef, $all, $s, 0, $e, 999_999_999);
            next if !@$coarse;
            if ($fine) {
                return { unsure => 'nanos damaged' } if !$nanos || int($nanos->{size} / 4) != $all;
                my $exact = $self->_spans($time, $nanos, $all, $s, $sn, $e, $en);
                next if !@$exact;
            }
            if ($missing eq 'error') {
                my @files = map { "$series/" . file_of($_, $day) } 'time', @wanted;
                die { status => 500, why => 'damaged', files => \@files };
            }
            if ($missing eq 'skip') {
                push @skipped, $day;
                next;
            }
            $usable = $least;
        }
        my $nanos = $fine && defined $have{nanos}{$day} ? $self->_file($have{nanos}{$day}) : undef;
        my $found = $self->_spans($time, $nanos, $usable, $s, $sn, $e, $en);
        next if !@$found;
        if ($self->{unsorted} eq 'error' && !$self->_sorted($time, $usable)) {
            die { status => 500, why => 'unsorted', files => [ $have{time}{$day} ] };
        }
        push @spans, map { [ $day, @$_ ] } @$found;
        $rows += $_->[1] for @$found;
    }

    my $in_range = $rows;
    my $step = 1;
    if (defined $p->{limit}) {
        ($rows, @spans) = cut($p->{limit}, @spans);
    } elsif (defined $p->{tail}) {
        # The last N: what is left when the first (rows - N) are gone.
        my $drop = $rows > $p->{tail} ? $rows - $p->{tail} : 0;
        while ($drop) {
            my $n = $spans[0][2] < $drop ? $spans[0][2] : $drop;
            $spans[0] = [ $spans[0][0], $spans[0][1] + $n, $spans[0][2] - $n ];
            shift @spans if !$spans[0][2];
            $drop -= $n;
            $rows -= $n;
        }
    } elsif ($p->{max_points} && $rows > $p->{max_points}) {
        $step = int(($rows + $p->{max_points} - 1) / $p->{max_points});
        my ($at, $next, @picked) = (0, 0);
        for my $span (@spans) {
            my ($day, $first, $count) = @$span;
            while ($next < $at + $count) {
                push @picked, [ $day, $first + $next - $at, 1 ];
                $next += $step;
            }
            $at += $count;
        }
        @spans = @picked;
        $rows = @spans;
    }

    my (@described, %bytes);
    my $offset = 0;
    for my $column (@{ $q->{columns} }) {
        my $type = type_of($q->{exchange}, $q->{type}, $column, $self->{types});
        my $size = size_of($type);
        push @described, qq({"name":"$column","type":"$type","record_size":$size,"num_records":$rows,)
            . '"data_length":' . $rows * $size . qq(,"offset":$offset});
        $offset += $rows * $size;
        my ($day, $file) = (-1);
        my $bytes = '';
        for my $span (@spans) {
            if ($span->[0] != $day) {
                $day = $span->[0];
                $file = $self->_file($have{$column}{$day});
            }
            $bytes .= substr ${ $file->{bytes} }, $span->[1] * $size, $span->[2] * $size;
        }
        die "oracle: $column has " . length($bytes) . ' bytes for ' . $rows . ' rows'
            if length $bytes != $rows * $size;
        $bytes{$column} = $bytes;
    }
    my $line = qq({"version":1,"exchange":"$q->{exchange}","symbol":"$q->{symbol}","type":"$q->{type}",)
        . qq("rows_in_range":$in_range,"skipped_days":[) . join(',', map { '"' . iso_of($_) . '"' } @skipped)
        . '],"columns":[' . join(',', @described) . ']}';
    $line .= ' ' while (length($line) + 1) % 64;
    return {
        status => 200, line => $line, rows => $rows, in_range => $in_range, step => $step,
        skipped => \@skipped, bytes => \%bytes,
        body => join('', "$line\n", @bytes{ @{ $q->{columns} } }),
    };
}

# cut(N, SPANS): the first N rows.
sub cut ($n, @spans) {
    my ($rows, @kept) = (0);
    for my $span (@spans) {
        last if $rows >= $n;
        my $take = $span->[2] < $n - $rows ? $span->[2] : $n - $rows;
        push @kept, [ $span->[0], $span->[1], $take ];
        $rows += $take;
    }
    return ($rows, @kept);
}

# _live(DAY, FILES): today; yesterday within the grace after midnight; or changed lately.
sub _live ($self, $day, @files) {
    my $now = $self->{now} // time;
    my $today = int $now / 86400;
    return 1 if $day == $today;
    return 1 if $day == $today - 1 && $now % 86400 < $self->{live_grace};
    for my $file (@files) {
        return 1 if $self->_file($file)->{mtime} > $now - $self->{live_window};
    }
    return 0;
}

# _file(PATH): {size, mtime, bytes}, read anew when it changed.
sub _file ($self, $path) {
    my $kept = $self->{files}{$path};
    return $kept if $kept && $self->{keep};
    my @stat = stat "$self->{data}/$path" or die "$path: $!";
    my $identity = join ':', @stat[0, 1, 7, 9, 10];
    return $kept if $kept && $kept->{identity} eq $identity;
    my $bytes = read_file("$self->{data}/$path");
    return $self->{files}{$path} = {
        identity => $identity, path => $path, size => length $bytes, mtime => $stat[9], bytes => \$bytes,
    };
}

sub forget ($self) { $self->{files} = {}; return }

# _spans(TIME, NANOS, ROWS, ...): the runs of rows in the range, each row looked at. NANOS may be undef.
sub _spans ($self, $time, $nanos, $rows, $s, $sn, $e, $en) {
    my @spans;
    my ($from, $row) = (-1, 0);
    if ($self->{keep}) {
        my $counted = $time->{counted} //= counted($time->{bytes}, $rows);
        return counted_spans($counted, $nanos, $s, $sn, $e, $en) if $counted->{rows} == $rows && $counted->{below};
    }
    if (!$nanos) {
        for (unpack 'V*', substr ${ $time->{bytes} }, 0, $rows * 4) {
            if ($_ >= $s && $_ <= $e) {
                $from = $row if $from < 0;
            } elsif ($from >= 0) {
                push @spans, [ $from, $row - $from ];
                $from = -1;
            }
            $row++;
        }
    } else {
        my @nanos = unpack 'V*', substr ${ $nanos->{bytes} }, 0, $rows * 4;
        for (unpack 'V*', substr ${ $time->{bytes} }, 0, $rows * 4) {
            if (   ($_ > $s || ($_ == $s && $nanos[$row] >= $sn))
                && ($_ < $e || ($_ == $e && $nanos[$row] <= $en)))
            {
                $from = $row if $from < 0;
            } elsif ($from >= 0) {
                push @spans, [ $from, $row - $from ];
                $from = -1;
            }
            $row++;
        }
    }
    push @spans, [ $from, $row - $from ] if $from >= 0;
    return \@spans;
}

# counted(BYTES, ROWS): for a day in order that does not change: how many rows lie below each second,
# counted row by row once. No {below} if it is not in order.
sub counted ($bytes, $rows) {
    my $counted = { rows => $rows, low => 0, below => [] };
    return $counted if !$rows;
    my ($row, $last) = (0);
    my $below = $counted->{below};
    for (unpack 'V*', substr $$bytes, 0, $rows * 4) {
        $counted->{low} = $last = $_ if !defined $last;
        return { rows => $rows } if $_ < $last || $_ - $counted->{low} > 200_000;
        $below->[ $_ - $counted->{low} ] //= $row;
        $last = $_;
        $row++;
    }
    push @$below, $rows;
    # A second without rows has as many below it as the next one.
    for (my $i = $#$below; $i > 0; $i--) {
        $below->[ $i - 1 ] //= $below->[$i];
    }
    return $counted;
}

sub counted_spans ($counted, $nanos, $s, $sn, $e, $en) {
    my $below = sub ($second) {
        my $i = $second - $counted->{low};
        return $i <= 0 ? 0 : $i > $#{ $counted->{below} } ? $counted->{rows} : $counted->{below}[$i];
    };
    my ($from, $to) = ($below->($s), $below->($e + 1));
    return [] if $from >= $to;
    return [ [ $from, $to - $from ] ] if !$nanos;
    # Each row of the two boundary seconds is looked at.
    my @spans;
    my $add = sub ($first, $count) {
        return if $count <= 0;
        if (@spans && $spans[-1][0] + $spans[-1][1] == $first) {
            $spans[-1][1] += $count;
        } else {
            push @spans, [ $first, $count ];
        }
    };
    my $look = sub ($first, $end, $low, $high) {
        my $row = $first;
        for (unpack 'V*', substr ${ $nanos->{bytes} }, $first * 4, ($end - $first) * 4) {
            $add->($row, 1) if $_ >= $low && $_ <= $high;
            $row++;
        }
    };
    if ($s == $e) {
        $look->($from, $to, $sn, $en);
    } else {
        my ($inner, $outer) = ($below->($s + 1), $below->($e));
        $look->($from, $inner, $sn, 1e9);
        $add->($inner, $outer - $inner);
        $look->($outer, $to, 0, $en);
    }
    return \@spans;
}

sub _sorted ($self, $time, $rows) {
    my $last = 0;
    for (unpack 'V*', substr ${ $time->{bytes} }, 0, $rows * 4) {
        return 0 if $_ < $last;
        $last = $_;
    }
    return 1;
}

1;
