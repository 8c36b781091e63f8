#!/usr/bin/perl
# Today's files grow while they are served: twenty recorders flush their columns one after another, in blocks, so that
# columns differ in length and end in partial records at any moment; eight readers look at every row that they get.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Digest::SHA qw(sha512);
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use List::Util qw(max min shuffle sum0);
use POSIX ();
use Test::More;
use Tickd;
use Tickd::Data qw(write_day write_file read_file midnight day_of iso_of file_of type_of size_of);
use Tickd::Http qw(url show);
use Tickd::Random qw(seed pick chance);
use Time::HiRes qw(time);

my $WRITERS = 20;
my $READERS = 8;
my $BLOCK = 65536;
my $A_SECOND = 16;    # rows of the data in a second of the day
my $rounds = $ENV{TICKD_TEST_ROUNDS} || 1;
my $duration = max(1, 5 * $rounds);
my $rate = 20_000;    # rows that a recorder gets in a second of the test
my $most = min(int(1.2 * $rate * $duration), 80_000 * $A_SECOND);
my $seed = seed();
note "TICKD_SEED=$seed";

# --- Data: each byte follows from series, column and row. Only `time` is there from the beginning.

my %types = ('*/MD/odd' => 'bytes3');
my @columns = qw(time price id maker_order_id odd side);
my %size = map { $_ => size_of(type_of('coinbase', 'MD', $_, \%types)) } @columns;
my $today = int time / 86400;
my $from = 86400 * $today;
my @series = map { "R$_" } 1 .. $WRITERS;
my $times = join '', map { pack('V', $from + $_) x $A_SECOND } 0 .. $most / $A_SECOND;
my $noise = join '', map { sha512(pack 'N', $_) } 0 .. (max(values %size) * $most + 1000 * $WRITERS) / 64 + 1;
my %place = map { $columns[$_] => 97 * $_ } 0 .. $#columns;

# bytes(SERIES NUMBER, COLUMN, ROW, ROWS)
sub bytes ($s, $column, $row, $rows) {
    return substr $times, 4 * $row, 4 * $rows if $column eq 'time';
    return substr $noise, 1000 * $s + $place{$column} + $size{$column} * $row, $size{$column} * $rows;
}

my $data = scratch();
my %path;    # of today's files
for my $s (0 .. $#series) {
    my $name = "coinbase/$series[$s]/MD";
    # A day long ago has all columns, so that they are known.
    write_day("$data", $name, '2025-01-01', { map { $_ => \("\0" x $size{$_}) } @columns });
    $path{ $series[$s] }{$_} = "$data/$name/" . file_of($_, $today) for @columns;
    write_file($path{ $series[$s] }{time}, '');
}

# rows_on_disk(SERIES, COLUMNS): how many all of them have whole.
sub rows_on_disk ($series, @which) {
    return min(map { int((-s $path{$series}{$_} // 0) / $size{$_}) } @which);
}

# --- Recorders

# recorder(SERIES NUMBER, DIR): a process that writes until DIR/until is there, and then flushes all it has.
sub recorder ($s, $dir) {
    my $pid = fork // die $!;
    return $pid if $pid;
    srand $seed + $s;
    my ($rows, $since, %file, %flushed) = (0, time);
    my %first = map { $_ => 1 + int rand $BLOCK } @columns;    # a shorter block shifts all that follow
    my $flush = sub ($column, $least) {
        while (1) {
            my $have = $rows * $size{$column} - ($flushed{$column} // 0);
            my $block = $flushed{$column} ? $BLOCK : $first{$column};
            my $n = min($have, $block);
            return if !$n || $n < min($least, $block);
            open $file{$column}, '>>:raw', $path{ $series[$s] }{$column} or POSIX::_exit(1) if !$file{$column};
            my $all = bytes($s, $column, 0, $rows);
            defined(my $done = syswrite $file{$column}, $all, $n, $flushed{$column} // 0) or POSIX::_exit(1);
            $flushed{$column} += $done;
        }
    };
    while (!-e "$dir/until") {
        my $step = 0.02 + rand 0.04;
        select undef, undef, undef, $step;
        $rows = min($most, $rows + 1 + int(2 * $rate * $step * rand));
        my @now = grep { $_ ne 'side' || time > $since + $duration / 2 } shuffle @columns;
        $flush->($_, $BLOCK) for @now;
        next if !chance(0.02);
        for my $column (@now) {
            $flush->($column, 1);
            select undef, undef, undef, 0.01;
        }
    }
    $flush->($_, 1) for @columns;
    POSIX::_exit(0);
}

# --- Readers

# expected(SERIES NUMBER, COLUMN, FIRST, END, STEP)
sub expected ($s, $column, $first, $end, $step) {
    return bytes($s, $column, $first, $end - $first) if $step == 1;
    my $all = bytes($s, $column, 0, $end);
    my @rows;
    for (my $row = $first; $row < $end; $row += $step) {
        push @rows, substr $all, $row * $size{$column}, $size{$column};
    }
    return join '', @rows;
}

# question(SERIES NUMBER, KNOWN): {kind, columns, query, first and end second of the range or undef}
sub question ($s, $known) {
    my $kind = pick(qw(whole tail hour hour points past));
    my @which = (shuffle(@columns))[ 0 .. int rand 3 ];
    my %query = (start => iso_of($today), end => iso_of($today));
    my ($low, $high) = (0, 86399);
    if ($kind eq 'hour' || $kind eq 'past') {
        my $newest = int($known / $A_SECOND);
        $high = $kind eq 'hour' ? $newest + int rand 100 : pick(int($newest / 2), int($newest / 3), 10);
        $low = max(0, $high - 3599);
        @query{qw(start end)} = ($from + $low, $from + $high);
    }
    $query{tail} = pick(1, 50, 3000) if $kind eq 'tail';
    $query{max_points} = pick(1, 500, 3000) if $kind eq 'points' || ($kind eq 'past' && chance(0.3));
    $query{missing} = pick(qw(error skip prefix)) if chance(0.3);
    return { kind => $kind, columns => \@which, low => $low, high => $high, query => \%query,
        target => url('/api/data', symbol => $series[$s], type => 'MD', columns => join(',', @which), map { $_ => $query{$_} } sort keys %query) };
}

# wrong(RESPONSE, SERIES NUMBER, QUESTION, LEAST, MOST): what is wrong, and how many rows of the day it tells of, and how
# many it has.
sub wrong ($r, $s, $q, $least, $most) {
    return $r->{error} if $r->{error};
    return "status $r->{status}: " . show($r->{body}) if $r->{status} != 200;
    return 'Cache-Control: ' . ($r->{headers}{'cache-control'} // 'none') if ($r->{headers}{'cache-control'} // '') ne 'no-cache';
    my $raw = parse_raw($r->{body});
    return $raw->{error} if $raw->{error};
    my ($first, $end) = ($A_SECOND * $q->{low}, $A_SECOND * ($q->{high} + 1));
    my $in_range = $raw->{json}{rows_in_range};
    my ($low, $high) = map { max(0, min($end, $_) - $first) } $least, $most;
    return "$in_range rows, not $low to $high" if $in_range < $low || $in_range > $high;
    return 'skipped days' if @{ $raw->{json}{skipped_days} };
    my $to = $first + $in_range;
    my ($tail, $points) = @{ $q->{query} }{qw(tail max_points)};
    $first = max($first, $to - $tail) if $tail;
    my $step = $points && $in_range ? int(($in_range + $points - 1) / $points) : 1;
    for my $column (@{ $q->{columns} }) {
        return "$column differs" if $raw->{data}{$column} ne expected($s, $column, $first, $to, $step);
    }
    return ('', $to, $raw->{json}{columns}[0]{num_records});
}

# reader(SERVER, DIR, NUMBER): a process that asks until DIR/until is there; what came of it is in DIR/reader.NUMBER.
sub reader ($server, $dir, $number) {
    my $pid = fork // die $!;
    return $pid if $pid;
    srand $seed + 1000 + $number;
    my %did = (answers => 0, rows => 0, same => 0, wrong => [], by => {});
    my (%known, %tags, $http);
    while (!-e "$dir/until" && !@{ $did{wrong} }) {
        my $s = int rand @series;
        my $name = $series[$s];
        my $q = question($s, min(map { $known{$name}{$_} // 0 } @columns[ 0 .. 2 ]));
        my @needed = ('time', @{ $q->{columns} });
        undef $http if $http && chance(0.2);
        $http //= $server->connect(undef, timeout => deadline(30));
        my $least = rows_on_disk($name, @needed);
        my $r = $http->get($q->{target});
        my ($wrong, $to, $rows) = wrong($r, $s, $q, $least, rows_on_disk($name, @needed));
        # Never shorter than before, whoever answers.
        my $before = min(map { $known{$name}{$_} // 0 } @needed);
        $wrong = "$to rows, $before before" if !$wrong && $q->{high} == 86399 && $to < $before;
        # A range that has passed keeps its tag.
        my $complete = !$wrong && $to == $A_SECOND * ($q->{high} + 1);
        my $tag = $r->{headers}{etag} // '';
        if ($complete && ($tags{ $q->{target} } //= $tag) ne $tag) {
            $wrong = "tag $tag, $tags{$q->{target}} before";
        } elsif ($complete && $q->{kind} eq 'past') {
            my $again = $http->get($q->{target}, 'If-None-Match' => $tag);
            $wrong = $again->{error} // "status $again->{status}, not 304" if $again->{error} || $again->{status} != 304;
            $did{same}++;
        }
        push @{ $did{wrong} }, "$q->{target}: $wrong" if $wrong;
        next if $wrong;
        $did{answers}++;
        $did{rows} += $rows;
        $did{by}{ $q->{kind} }++;
        next if !$rows;
        $known{$name}{$_} = max($known{$name}{$_} // 0, $to) for @needed;
    }
    write_file("$dir/reader.$number", encode_json(\%did));
    POSIX::_exit(0);
}

# --- The test: half of the readers have a server that keeps fewer files open than there are

my @options = ('type=*/MD/odd:bytes3', 'revalidate=1s');
my @servers = (Tickd->start(data => "$data", workers => 2, options => \@options),
    Tickd->start(data => "$data", workers => 2, options => [ @options, 'max_mapped=64' ]));
my @workers = map { $_->workers } @servers;
my $dir = scratch();
my @writers = map { recorder($_, "$dir") } 0 .. $#series;
my @readers = map { reader($servers[ $_ % 2 ], "$dir", $_) } 1 .. $READERS;
select undef, undef, undef, $duration;
write_file("$dir/until", '');
my $failed = 0;
for (@writers, @readers) {
    waitpid $_, 0;
    $failed++ if $?;
}
is($failed, 0, 'recorders and readers end well');
my @did = map { decode_json(read_file("$dir/reader.$_") // '{"wrong":["no report"],"by":{}}') } 1 .. $READERS;
my %by;
for my $did (@did) {
    $by{$_} += $did->{by}{$_} for keys %{ $did->{by} };
}
my @wrong = map { @{ $_->{wrong} } } @did;
is(scalar @wrong, 0, 'every row of every answer is right') or diag map { "  $_\n" } @wrong;
my $answers = sum0(values %by);
ok($answers > 0 && ($answers < 100 || !grep { !$by{$_} } qw(whole tail hour points past)), 'each kind of question was answered');
note sprintf '%d answers (%s), %d rows, %d times 304; %d rows were written', $answers,
    join(', ', map { "$by{$_} $_" } sort keys %by), sum0(map { $_->{rows} // 0 } @did), sum0(map { $_->{same} // 0 } @did),
    sum0(map { rows_on_disk($_, @columns) } @series);

subtest 'when all is written' => sub {
    for my $s (0 .. $#series) {
        my $rows = rows_on_disk($series[$s], @columns);
        my $q = { columns => \@columns, low => 0, high => 86399, query => {} };
        my $target = url('/api/data', symbol => $series[$s], type => 'MD', columns => join(',', @columns), start => iso_of($today), end => iso_of($today));
        for my $server (@servers) {
            my ($wrong) = wrong($server->connect(undef, timeout => deadline(30))->get($target), $s, $q, $rows, $rows);
            is($wrong, '', "$series[$s]: all $rows rows");
        }
    }
};

my @now = map { $_->workers } @servers;
is("@now", "@workers", 'the workers are the same');
$_->stop_ok for @servers;
done_testing;
