#!/usr/bin/perl
# Real ticks, imported with tickload, and random queries over them against the oracle.

use v5.26;
use warnings;
use Cwd qw(abs_path);
use File::Find;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(OLD read_file day_in_file iso_of);
use Tickd::Http qw(url);
use Tickd::Oracle;
use Tickd::Random qw(seed pick chance random_query run_queries);
use Time::HiRes qw(time);

my $real = $ENV{TICKD_TEST_DATA} // source() . '/../shared/data';
my $ticks = "$real/ticks";
plan skip_all => "no real ticks under $ticks (set TICKD_TEST_DATA)" if !-d $ticks;
my $tickload = build() . '/tickload';
plan skip_all => "no $tickload" if !-x $tickload;

my $seed = seed();
note "TICKD_SEED=$seed";
my $rounds = $ENV{TICKD_TEST_ROUNDS} || 1;
my $data = scratch();

# As the README beside the data has it.
my @imports;
for my $venue (qw(spot usdm cm)) {
    for my $path (glob "$ticks/binance/$venue/*") {
        my $symbol = uc $path =~ s{.*/}{}r;
        push @imports, [ "binance_$venue", $symbol, 'TRADES', 'time=local_ns:ns,id=trade_id:u64,price=price,volume=qty,side=buyer_is_maker:u32', [], "$path/*_trade.csv.gz" ];
        push @imports, [ "binance_$venue", $symbol, 'QUOTES', 'time=local_ns:ns,best_bid=bid,best_ask=ask', [], "$path/*_bookticker.csv.gz" ];
    }
}
push @imports, [ 'fxcm', 'EURUSD', 'QUOTES', 'time=#1:ms,best_bid=#2,best_ask=#3', [ '--origin', 'name:YYYYMMDD-05:00' ], "$ticks/lean-forex/fxcm/eurusd/*_quote.csv.gz" ];
push @imports, [ 'usa', 'SPY', 'TRADES', 'time=#1:ms,price=#2,volume=#3,id=@row:u64', [ '--origin', 'name:YYYYMMDD-04:00', '--scale', 'price=0.0001' ],
    "$ticks/lean-us-equity/usa/spy/*_trade.csv.gz" ];

my @series;
for (@imports) {
    my ($exchange, $symbol, $type, $map, $options, $glob) = @$_;
    my @files = sort glob $glob or next;
    my $log = "$data/.log";
    open my $out, '>', $log or die $!;
    my $pid = fork // die $!;
    if (!$pid) {
        open STDOUT, '>&', $out;
        open STDERR, '>&', $out;
        exec $tickload, '-q', '-d', "$data", '-e', $exchange, '-s', $symbol, '-t', $type, '-m', $map, @$options, @files or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    is($?, 0, "$exchange/$symbol/$type: " . @files . ' files are imported') or diag read_file($log);
    unlink $log;
    next if $?;
    my %column;
    my $rows = 0;
    my @seconds;
    for my $file (sort glob "$data/$exchange/$symbol/$type/*.bin") {
        my ($column, $day) = day_in_file($file =~ s{.*/}{}r) or next;
        utime OLD, OLD, $file;
        $column{$column} = 1;
        next if $column ne 'time';
        my @times = unpack 'V*', read_file($file);
        $rows += @times;
        push @seconds, $times[0], $times[-1], map { $times[ rand @times ] } 1 .. 200 if @times;
    }
    my $nanos = delete $column{nanos};
    push @series, { exchange => $exchange, symbol => $symbol, type => $type, columns => [ sort keys %column ], seconds => \@seconds, nanos => $nanos, decimals => 0.3 };
    note "$exchange/$symbol/$type: $rows rows";
}
die "nothing could be imported\n" if !@series;

# Most queries of a user are of minutes and hours; some of days; few of all.
sub a_query {
    my $series = pick(@series);
    my %q = random_query($series);
    if ($q{start} && !chance(0.03)) {
        my $from = pick(@{ $series->{seconds} }) + pick(0, 0, -1, 1);
        my $to = $from + pick(0, 0, 1, 2, 10, 60, 60, 300, 3600, 3600, 7200, 86400);
        my ($start, $end) = map { $_ && /(\.\d+)/ ? $1 : '' } @q{qw(start end)};
        $q{start} = $start ? iso($from, $start) : $from;
        $q{end} = $end ? iso($to, $end) : $to;
    }
    return map { $_ => $q{$_} } sort { rand() <=> 0.5 } keys %q;
}

sub iso {
    my ($second, $decimals) = @_;
    my @t = gmtime $second;
    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d%sZ', $t[5] + 1900, $t[4] + 1, @t[ 3, 2, 1, 0 ], $decimals;
}

my $oracle = Tickd::Oracle->new(data => $data, keep => 1);
my $server = Tickd->start(data => $data, workers => 2);
my $did = run_queries($server, $oracle, 3000 * $rounds, seconds(9) * $rounds, \&a_query);
my $by = join ', ', map { "$did->{by}{$_} x $_" } sort keys %{ $did->{by} };
is($did->{wrong}, '', "$did->{count} queries: $did->{rows} rows, $by") or diag "repeat with TICKD_SEED=$seed";

# All of each series, once.
for my $series (@series) {
    my @query = (exchange => $series->{exchange}, symbol => $series->{symbol}, type => $series->{type}, columns => 'time,nanos', start => 0, end => 4294967295);
    my $expected = $oracle->answer(@query);
    cmp_ok($expected->{rows} // 0, '>', 0, "$series->{exchange}/$series->{symbol}/$series->{type} has rows");
    is_answer($server->get(url('/api/data', @query)), $expected, 'all of them');
}
$server->stop_ok;
done_testing;
