#!/usr/bin/perl
# Days are replaced, deleted, damaged and mended while they are asked for: each answer has, of each day, one state of it,
# never some of two; and where nothing was done to the day meanwhile, the one that there is.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use File::Path qw(remove_tree);
use List::Util qw(max sum0 shuffle);
use POSIX ();
use Test::More;
use Tickd;
use Tickd::Data qw(write_day write_file read_file midnight day_of iso_of file_of OLD);
use Tickd::Http qw(url show);
use Tickd::Random qw(seed pick chance);
use Time::HiRes qw(time);

my $DAYS = 10;
my $rounds = $ENV{TICKD_TEST_ROUNDS} || 1;
my $duration = max(1, 3 * $rounds);
my $seed = seed();
note "TICKD_SEED=$seed";
my $first = day_of('2025-02-24');
my $data = scratch();
my $series = 'coinbase/TURN/MD';
my $dir = "$data/$series";

# A state of a day has a number, from which everything follows: its day, its rows, and every value in it.

sub rows_of ($version) { return $version % 13 == 4 ? 0 : 40 + $version * 37 % 300 }
sub day_index ($version) { return $version % $DAYS }

my %make = (
    time => sub ($version, $rows) { return pack 'V*', map { 86400 * ($first + day_index($version)) + $version % 1000 + 100 * $_ } 0 .. $rows - 1 },
    id => sub ($version, $rows) { return pack 'Q*', map { 1000 * $version + $_ } 0 .. $rows - 1 },
    price => sub ($version, $rows) { return pack 'V*', map { 1000 * $version + $_ } 0 .. $rows - 1 },
    volume => sub ($version, $rows) { return pack 'V*', map { 1000 * $version + 500 + $_ } 0 .. $rows - 1 },
);

# What is said of the days, in a file: of each how often it was changed, odd while it is; its version; and what is wrong.
use constant { GONE => 1, SHORT => 2, MISSING => 4 };
my $board = scratch();
my $state_size = 24;

sub states () { return map { [ unpack 'QQQ', $_ ] } unpack "(a$state_size)*", read_file("$board/states") }

sub changer ($until) {
    my $pid = fork // die $!;
    return $pid if $pid;
    srand $seed;
    my $last = $DAYS * 10;
    my @state = map { [ 0, $_, GONE ] } 0 .. $DAYS - 1;
    open my $file, '+<:raw', "$board/states" or die $!;
    my $say = sub ($i) {
        sysseek $file, $state_size * $i, 0;
        syswrite $file, pack 'QQQ', @{ $state[$i] };
    };
    my $put = sub ($i, $column, $bytes) {
        my $path = "$dir/" . file_of($column, $first + $i);
        write_file("$dir/.new", $bytes, OLD);
        rename "$dir/.new", $path or die $!;
    };
    while (!-e $until) {
        my $i = int rand $DAYS;
        my $state = $state[$i];
        $state->[0]++;
        $say->($i);
        my ($version, $what) = @$state[ 1, 2 ];
        if (chance(0.5) || !$version || $what & GONE) {
            # As a writer does it: time goes first, and comes last.
            unlink "$dir/" . file_of('time', $first + $i);
            $version = (int(++$last / $DAYS) + 1) * $DAYS + $i;
            $last = $version;
            $what = pick(0, 0, 0, 0, SHORT, MISSING, SHORT | MISSING);
            my $rows = rows_of($version);
            $what = 0 if !$rows;
            for my $column (shuffle qw(id price volume)) {
                if ($column eq 'volume' && $what & MISSING) {
                    unlink "$dir/" . file_of('volume', $first + $i);
                } else {
                    $put->($i, $column, $make{$column}->($version, $column eq 'price' && $what & SHORT ? $rows - 5 : $rows));
                }
            }
            $put->($i, 'time', $make{time}->($version, $rows));
        } elsif (chance(0.3)) {
            unlink "$dir/" . file_of('time', $first + $i);
            $what |= GONE;
        } elsif (!rows_of($version)) {
        } elsif ($what & MISSING) {
            $put->($i, 'volume', $make{volume}->($version, rows_of($version)));
            $what &= ~MISSING;
        } elsif (chance(0.5)) {
            unlink "$dir/" . file_of('volume', $first + $i);
            $what |= MISSING;
        } elsif ($what & SHORT) {
            $put->($i, 'price', $make{price}->($version, rows_of($version)));
            $what &= ~SHORT;
        } else {
            $put->($i, 'price', $make{price}->($version, rows_of($version) - 5));
            $what |= SHORT;
        }
        @$state = ($state->[0] + 1, $version, $what);
        $say->($i);
        select undef, undef, undef, rand 0.004;
    }
    POSIX::_exit(0);
}

# served(VERSION, WHAT, COLUMNS, MISSING): how many rows of a day in that state are served; undef: damage.
sub served ($version, $what, $columns, $missing) {
    my $rows = rows_of($version);
    return 0 if $what & GONE || !$rows;
    my $least = $rows;
    $least = $rows - 5 if $what & SHORT && grep { $_ eq 'price' } @$columns;
    $least = 0 if $what & MISSING && grep { $_ eq 'volume' } @$columns;
    return $least == $rows || $missing eq 'prefix' ? $least : undef;
}

# wrong(RESPONSE, COLUMNS, MISSING, BEFORE, AFTER): BEFORE and AFTER are the days' states, or nothing for a server that
# looks at them less often.
sub wrong ($r, $columns, $missing, $before, $after) {
    return $r->{error} if $r->{error};
    my @sure = map { $before && $before->[$_][0] == $after->[$_][0] && $before->[$_][0] % 2 == 0 ? $before->[$_] : undef } 0 .. $DAYS - 1;
    if ($r->{status} == 500 && $missing eq 'error') {
        my ($column, $day, $month) = $r->{body} =~ m{\Q$series\E/(price|volume)\.(\d\d)\.(\d\d)\.25\.bin} or return "500: $r->{body}";
        my $sure = $sure[ day_of("2025-$month-$day") - $first ];
        return $sure && defined served($sure->[1], $sure->[2], [$column], $missing) ? "a day that is whole: $r->{body}" : '';
    }
    return "status $r->{status}: " . show($r->{body}) if $r->{status} != 200;
    my $raw = parse_raw($r->{body});
    return $raw->{error} if $raw->{error};
    # The days that are there, by the ids of their rows.
    my (%rows, @order);
    for my $id (unpack 'Q*', $raw->{data}{id}) {
        my $version = int($id / 1000);
        push @order, $version if !$rows{$version}++;
    }
    my %found = map { day_index($_) => $_ } @order;
    return 'two states of one day' if keys %found != @order;
    return 'days out of order' if "@order" ne join ' ', map { $found{$_} } sort { $a <=> $b } keys %found;
    for my $column (@$columns) {
        return "$column is not of one state" if $raw->{data}{$column} ne join '', map { $make{$column}->($_, $rows{$_}) } @order;
    }
    my %skipped = map { day_of($_) - $first => 1 } @{ $raw->{json}{skipped_days} };
    return 'skipped days' if %skipped && $missing ne 'skip';
    for my $i (0 .. $DAYS - 1) {
        my $version = $found{$i};
        my $rows = defined $version ? $rows{$version} : 0;
        my $name = iso_of($first + $i);
        return "$name: in part" if $rows && $rows != rows_of($version) && !($missing eq 'prefix' && $rows == rows_of($version) - 5);
        return "$name: skipped and served" if $rows && $skipped{$i};
        my $sure = $sure[$i] // next;
        my $served = served($sure->[1], $sure->[2], $columns, $missing);
        return "$name: damaged, and served" if !defined $served && $missing eq 'error';
        return "$name: " . ($skipped{$i} ? 'skipped' : 'not skipped') if $missing eq 'skip' && !defined $served != ($skipped{$i} // 0);
        return "$name: version " . ($version // 'none') . " with $rows rows, not $sure->[1] with $served"
            if ($served // 0) != $rows || ($rows && $version != $sure->[1]);
    }
    return '';
}

sub reader ($server, $exact, $until, $report) {
    my $pid = fork // die $!;
    return $pid if $pid;
    srand $seed + $$;
    my %did = (status => {}, rows => 0, wrong => [], sure => 0);
    my $http;
    while (!-e $until && !@{ $did{wrong} }) {
        my @columns = shuffle('id', grep { chance(0.5) } qw(time price volume));
        my $missing = pick(qw(error skip skip prefix prefix));
        my $target = url('/api/data', symbol => 'TURN', type => 'MD', columns => join(',', @columns), start => iso_of($first),
            end => iso_of($first + $DAYS - 1), missing => $missing);
        undef $http if chance(0.1);
        $http //= $server->connect(undef, timeout => deadline(20));
        my @before = states();
        my $r = $http->get($target);
        my @after = states();
        $did{status}{ $r->{status} // 0 }++;
        $did{sure} += grep { $before[$_][0] == $after[$_][0] && $before[$_][0] % 2 == 0 } 0 .. $DAYS - 1;
        # A day that is replaced faster than it can be looked at.
        next if !$r->{error} && $r->{status} == 503 && $r->{headers}{'retry-after'} && $r->{body} =~ /is being replaced/;
        my $wrong = wrong($r, \@columns, $missing, $exact ? (\@before, \@after) : (undef, undef));
        push @{ $did{wrong} }, "$target: $wrong" if $wrong;
    }
    write_file($report, encode_json(\%did));
    POSIX::_exit(0);
}

subtest 'one state or the other' => sub {
    # A day before those that change has all columns, so that they are known.
    write_day("$data", $series, '2025-01-01', { map { $_ => [1] } keys %make });
    write_file("$board/states", join '', map { pack 'QQQ', 0, $_, GONE } 0 .. $DAYS - 1);
    my @servers = map { Tickd->start(data => "$data", workers => 2, options => ["revalidate=$_"]) } qw(0 100ms);
    my @pids = map { $_->workers } @servers;
    my $until = "$board/until";
    my @children = changer($until);
    push @children, map { reader($servers[ $_ % 2 ], $_ % 2 == 0, $until, "$board/report$_") } 0 .. 3;
    select undef, undef, undef, $duration;
    write_file($until, '');
    my $failed = 0;
    for (@children) {
        waitpid $_, 0;
        $failed++ if $?;
    }
    is($failed, 0, 'all end well');
    my @did = map { decode_json(read_file("$board/report$_") // '{"wrong":["no report"],"status":{}}') } 0 .. 3;
    my @wrong = map { @{ $_->{wrong} } } @did;
    is(scalar @wrong, 0, 'no answer is wrong') or diag map { "  $_\n" } @wrong;
    my %status;
    for my $did (@did) {
        $status{$_} += $did->{status}{$_} for keys %{ $did->{status} };
    }
    my $all = sum0(values %status);
    ok($status{200} && ($status{500} || $all < 100), 'days whole and damaged were met');
    cmp_ok($status{503} // 0, '<', $all / 20, 'and few that changed too fast');
    note sprintf '%d changes; answers: %s; %d days of which the state was known', sum0(map { $_->[0] / 2 } states()),
        join(', ', map { "$status{$_} x $_" } sort keys %status), sum0(map { $_->{sure} // 0 } @did);
    my @now = map { $_->workers } @servers;
    is("@now", "@pids", 'the workers are the same');
    my @log = grep { /damaged day/ } split /\n/, $servers[0]->log_text;
    ok((@log || $all < 100) && !grep({ !m{\bdamaged day: \Q$series\E/(?:price|volume)\.\d\d\.\d\d\.25\.bin } } @log), 'damage is logged, with the file') or diag $log[0];
    $_->stop_ok for @servers;
};

subtest 'DATA is a link to the next release, and the last one is removed at once' => sub {
    my $query = '/api/data?symbol=A&type=MD&columns=price&start=2025-01-01&end=2025-01-02';
    my $right = sub ($r) { $r->{status} == 200 && substr($r->{body}, index($r->{body}, "\n") + 1) eq pack 'f<4', (2) x 4 };
    my $listed = sub ($r) { $r->{status} == 200 && join(',', @{ decode_json($r->{body})->{symbols} }) eq 'A,B' };
    my $covered = sub ($r) { $r->{status} == 200 && @{ decode_json($r->{body})->{days} } == 2 };
    my $details = sub ($r) { $r->{status} == 200 && decode_json($r->{body})->{details}{coinbase}{A}{last_day} eq '2025-01-02' };
    my $coverage = '/api/coverage?symbol=A&exchange=coinbase&type=MD';
    for my $case (
        [ 'a day of it', 'coinbase/A/MD/*.02.01.25.bin', $query, $right ],
        [ 'a file of it', 'coinbase/A/MD/price.02.01.25.bin', $query, $right ],
        [ 'a symbol of it', 'coinbase/A', $query, $right ],
        [ 'all of it', '*', $query, $right ],
        [ 'a day that is covered', 'coinbase/A/MD/*.02.01.25.bin', $coverage, $covered ],
        [ 'all that is covered', '*', $coverage, $covered ],
        [ 'a symbol that is listed', 'coinbase/B', '/api/symbols', $listed ],
        [ 'all that is listed', '*', '/api/symbols', $listed ],
        [ 'a day of the details', 'coinbase/A/MD/*.02.01.25.bin', '/api/symbols?details=1', $details ],
    ) {
        my ($name, $gone, $target, $as_it_should) = @$case;
        my $home = scratch();
        for my $release (1, 2) {
            for my $symbol (qw(A B)) {
                write_day("$home/v$release", "coinbase/$symbol/MD", $_, { time => [ midnight($_) + 1, midnight($_) + 2 ], price => [ ($release) x 2 ] })
                    for qw(2025-01-01 2025-01-02);
            }
        }
        symlink 'v1', "$home/data" or die $!;
        my $server = Tickd->start(data => "$home/data", workers => 1, options => [ 'revalidate=1h', 'catalog_refresh=1h' ]);
        symlink 'v2', "$home/next" or die $!;
        rename "$home/next", "$home/data" or die $!;
        remove_tree(glob "$home/v1/$gone");
        my $r = $server->get($target);
        ok($as_it_should->($r), "$name: what is there is found") or diag $r->{error} // "$r->{status}: " . show($r->{body});
        unlike($server->log_text, qr/ error: /, "$name: and nothing is wrong");
        $server->stop_ok;
    }
};

done_testing;
