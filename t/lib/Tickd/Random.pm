package Tickd::Random;

# Random series and random queries over them, from a seed.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Exporter 'import';
use POSIX qw(floor);
use Tickd ();
use Tickd::Data qw(write_day day_of iso_of type_of size_of OLD);
use Tickd::Http ();
use Time::HiRes ();

our @EXPORT_OK = qw(seed pick chance random_series random_query run_queries);

# seed(): TICKD_SEED or a new one; returned, and set.
sub seed () {
    my $seed = $ENV{TICKD_SEED} // (time ^ $$ << 8) & 0x7fffffff;
    srand $seed;
    return $seed;
}

sub pick (@from) { return $from[ rand @from ] }
sub chance ($p) { return rand() < $p }

# The columns of random series, and overrides of their types: {'rnd/T/column' => type}.
our %TYPES = map { ("rnd/T/$_" => $_) } qw(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 bytes1 bytes3 bytes7 bytes32);
my @COLUMNS = ((map { s{.*/}{}r } sort keys %TYPES), qw(side id maker_order_id price));

# seconds_of(DAY, SHAPE): the seconds of a day's rows.
sub seconds_of ($day, $shape) {
    my $from = $day * 86400;
    return () if $shape eq 'empty';
    return ($from + int rand 86400) if $shape eq 'one';
    my $rows = $shape eq 'large' ? 3000 + int rand 3000 : $shape eq 'few' ? 2 + int rand 6 : 20 + int rand 400;
    my @times;
    if ($shape eq 'dense') {
        # Many rows on few seconds.
        my $at = $from + int rand 86000;
        @times = map { $at + int rand 5 } 1 .. $rows;
    } elsif ($shape eq 'edges') {
        # First and last second of the day, many times over.
        @times = ((map { $from + int rand 2 } 1 .. $rows / 2), map { $from + 86399 - int rand 2 } 1 .. $rows / 2);
    } elsif ($shape eq 'spill') {
        # Rows of the neighbouring days in this day's file.
        @times = map { $from - 200 + int rand 86800 } 1 .. $rows;
        push @times, map { $from - int rand 100 } 1 .. 5;
        push @times, map { $from + 86400 + int rand 100 } 1 .. 5;
    } elsif ($shape eq 'fences') {
        # Around every 128 seconds.
        @times = map { $from + 128 * int(rand 675) + pick(-1, 0, 0, 1, 127) } 1 .. $rows;
        $_ < $from and $_ = $from for @times;
    } else {
        @times = map { $from + int rand 86400 } 1 .. $rows;
    }
    @times = sort { $a <=> $b } @times;
    if ($shape eq 'late') {
        # Steps back: some rows come later than they should.
        for (1 .. 1 + rand 10) {
            my ($i, $j) = (int rand @times, int rand @times);
            @times[ $i, $j ] = @times[ $j, $i ];
        }
    } elsif ($shape eq 'chaos') {
        @times = map { $times[ rand @times ] } @times;
    }
    return @times;
}

my @SHAPES = (('plain') x 4, ('few') x 4, qw(empty one one dense dense edges spill fences late chaos large));

# random_series(DATA, SYMBOL): a series rnd/SYMBOL/T; {symbol, columns, seconds (worth asking for), days, nanos}.
sub random_series ($data, $symbol) {
    my $series = "rnd/$symbol/T";
    my $first = pick(day_of('2024-02-25'), day_of('2023-12-28'), day_of('2000-01-01'), day_of('2099-12-25'), 19000 + int rand 1000);
    my $nanos = chance(0.6);
    my %columns = map { $_ => 1 } map { pick(@COLUMNS) } 1 .. 2 + rand 6;
    my @columns = sort keys %columns;
    my $damaged = chance(0.4);
    my (@seconds, @days, %there);
    for my $day ($first .. $first + int rand 10) {
        next if chance(0.25);
        last if $day > day_of('2099-12-31');
        my @times = seconds_of($day, pick(@SHAPES));
        push @days, $day;
        push @seconds, map { $times[ rand @times ] } 1 .. 12 if @times;
        push @seconds, $times[0], $times[-1] if @times;
        my $rows = @times;
        my %day;
        for my $column (@columns) {
            my $size = size_of(type_of('rnd', 'T', $column, \%TYPES));
            $there{$column} = 1;
            if ($damaged && chance(0.12)) {
                my $kind = int rand 4;
                next if $kind == 0;
                my $n = $kind == 1 ? int rand($rows + 1) : $kind == 2 ? $rows + 1 + int rand 5 : 0;
                $day{$column} = \noise($n * $size);
            } else {
                $day{$column} = \noise($rows * $size);
            }
            # A partial record at the end is no damage.
            $day{$column} = \(${ $day{$column} } . noise(int rand $size)) if chance(0.1);
        }
        $day{time} = \pack 'V*', @times;
        $day{time} = \(${ $day{time} } . noise(1 + int rand 3)) if chance(0.1);
        if ($nanos) {
            # Rising within a second; sometimes in any order.
            my @nanos = map { int rand 1e9 } @times;
            my $i = 0;
            while (!chance(0.2) && $i < @times) {
                my $j = $i;
                $j++ while $j < $#times && $times[ $j + 1 ] == $times[$i];
                @nanos[ $i .. $j ] = sort { $a <=> $b } @nanos[ $i .. $j ];
                $i = $j + 1;
            }
            $day{nanos} = \pack 'V*', @nanos;
        }
        # Files that changed just now make a live day; uneven lengths are what it is like.
        my $live = chance(0.15);
        if ($live) {
            for my $column (grep { chance(0.5) } @columns) {
                if (defined $day{$column}) {
                    $day{$column} = \substr ${ $day{$column} }, 0, int rand 1 + length ${ $day{$column} };
                }
            }
        }
        write_day($data, $series, iso_of($day), \%day, mtime => $live ? 'now' : OLD, types => \%TYPES);
    }
    push @seconds, map { $_ * 86400, $_ * 86400 + 86399 } $first - 1 .. $first + 11;
    # Times that nobody can ask for are left out: before 1970 and after u32.
    @seconds = grep { $_ >= 0 && $_ <= 4294967295 } @seconds;
    @days = sort { $a <=> $b } @days;
    return {
        exchange => 'rnd', symbol => $symbol, type => 'T', columns => [ sort('time', keys %there) ], seconds => \@seconds,
        days => [ $first, @days ], nanos => $nanos,
    };
}

# noise(BYTES): random bytes.
sub noise ($bytes) {
    state $pool = pack 'V*', map { int rand 4294967296 } 1 .. 1 << 14;
    return '' if $bytes <= 0;
    my $noise = '';
    while (length $noise < $bytes) {
        my $at = int rand length($pool) - 1;
        $noise .= substr $pool, $at, $bytes - length $noise;
    }
    return $noise;
}

# time_text(SECOND, NANOS): in one of the ways there are to write it; NANOS makes decimals.
sub time_text ($second, $decimals) {
    return $second if !defined $decimals && chance(0.6);
    my $shift = chance(0.3) ? pick(60, -60, 330, -480, 840, -720, 1) : 0;
    my $shifted = $second + $shift * 60;
    my $zone = $shift ? sprintf '%s%02d:%02d', $shift < 0 ? '-' : '+', abs($shift) / 60, abs($shift) % 60 : pick('Z', 'z', '+00:00', '-00:00');
    my @t = gmtime $shifted;
    return $second if $t[5] < 70;
    my $text = sprintf '%04d-%02d-%02d%s%02d:%02d:%02d', $t[5] + 1900, $t[4] + 1, $t[3], pick('T', 'T', 't'), @t[ 2, 1, 0 ];
    $text .= ".$decimals" if defined $decimals;
    return $text . $zone;
}

# a_second(SERIES): one worth asking for.
sub a_second ($series) {
    my $second = pick(@{ $series->{seconds} }) + (chance(0.4) ? pick(-1, 1, -2, 2, int rand(600) - 300) : 0);
    return $second < 0 ? 0 : $second > 4294967295 ? 4294967295 : $second;
}

sub decimals ($series) {
    return undef if !chance($series->{decimals} // 0.15);
    return substr sprintf('%09d', int rand 1e9), 0, pick(1 .. 9);
}

# random_query(SERIES): a list of parameters.
sub random_query ($series) {
    my %q = (exchange => $series->{exchange}, symbol => $series->{symbol}, type => $series->{type});
    my @columns = @{ $series->{columns} };
    push @columns, 'nanos' if $series->{nanos};
    my %chosen;
    $chosen{ pick(@columns) } = 1 for 1 .. pick(1, 1, 2, 2, 3, 6);
    $q{columns} = join pick(',', ',', ', '), sort { rand() <=> 0.5 } keys %chosen;
    $q{columns} .= ',no_such_column' if chance(0.01);

    my ($from, $to) = sort { $a <=> $b } a_second($series), a_second($series);
    $to = $from if chance(0.1);
    $to = $from + int rand 100 if chance(0.2);
    ($from, $to) = (0, 4294967295) if chance(0.05);
    $from = $to + 1 if chance(0.02);
    $to = 4294967295 if $to > 4294967295;
    if (chance(0.15) && $from <= $to && $to < 4294900000) {
        $q{start} = iso_of(floor($from / 86400));
        $q{end} = iso_of(floor($to / 86400));
    } else {
        $q{start} = time_text($from > 4294967295 ? 4294967295 : $from, decimals($series));
        $q{end} = time_text($to, decimals($series));
    }
    if (chance(0.2)) {
        $q{limit} = pick(1, 2, 3, 10, 100, 1000, 100000);
    } elsif (chance(0.25)) {
        $q{tail} = pick(1, 2, 3, 10, 100, 1000, 100000);
        delete $q{start} if chance(0.3);
    } elsif (chance(0.35)) {
        $q{max_points} = pick(0, 1, 2, 3, 7, 10, 50, 100, 333, 1000, 2000);
        $q{downsample} = 'stride' if chance(0.2);
    }
    $q{missing} = pick(qw(error skip prefix), '') if chance(0.7);
    $q{framing} = pick(qw(chunked length)) if chance(0.5);
    $q{format} = 'raw' if chance(0.1);
    return map { $_ => $q{$_} } sort { rand() <=> 0.5 } keys %q;
}

# run_queries(SERVER, ORACLE, QUERIES, SECONDS, CODE): so many queries from CODE, or as many as fit into the
# time, over keep-alive connections. {count, by (status => count), rows, wrong (text)}.
sub run_queries ($server, $oracle, $count, $seconds, $code) {
    my %did = (count => 0, by => {}, rows => 0, wrong => '', unsure => 0);
    my $until = Time::HiRes::time() + $seconds;
    my @clients;
    while ($did{count} < $count && Time::HiRes::time() < $until) {
        my @query = $code->();
        my $slot = $did{count} % 4;
        undef $clients[$slot] if $clients[$slot] && $clients[$slot]{eof};
        my $http = $clients[$slot] //= $server->connect;
        my $target = Tickd::Http::url('/api/data', @query);
        my $expected = $oracle->answer(@query);
        my $r = $http->get($target);
        $did{count}++;
        $did{unsure}++ if $expected->{unsure};
        $did{by}{ $expected->{status} // 'unsure' }++;
        $did{rows} += $expected->{rows} // 0;
        my $wrong = Tickd::wrong_answer($r, $expected) || framing($r, {@query});
        if ($wrong) {
            # A file may have become older than the window in between: look again.
            $expected = $oracle->answer(@query);
            $r = $server->get($target);
            my $again = Tickd::wrong_answer($r, $expected) or next;
            $did{wrong} = "$target\n    $wrong";
            last;
        }
    }
    return \%did;
}

sub framing ($r, $query) {
    return '' if $r->{status} != 200;
    my $expected = ($query->{framing} // '') eq 'length' ? 'length' : 'chunked';
    return $r->{framing} eq $expected ? '' : "framed by $r->{framing}, not $expected";
}

1;
