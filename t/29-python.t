#!/usr/bin/perl
# contrib/tickd.py: what it makes of answers, also of those that break, are refused for a while, or change under it.
# t/client.py tries it, with a proxy between.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_day append_day big_day write_file file_of day_of midnight);
use Tickd::Http qw(url);
use Tickd::Oracle;
use Tickd::Random qw(seed);

my $python = python(qw(numpy pandas)) // plan skip_all => 'no Python 3 with numpy and pandas';
my $seed = seed();
note "TICKD_SEED=$seed";

my $data = scratch();
my $later = scratch(); # the same, when all changes have come
my $stage = scratch();
my %types = map { $_ => $_ } qw(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 bytes3 bytes16);
my $day = '2025-01-10';
my $from = midnight($day);

# rows(FIRST, LAST): of a day, told by their id.
sub rows ($first, $last, $price = 1) {
    my @row = $first .. $last;
    return { time => [ map { $from + $_ } @row ], id => \@row, price => [ map { $price * $_ } @row ] };
}

for my $tree ($data, $later) {
    sample("$tree");
    write_day("$tree", 'lab/ALL/T', '2025-01-01', {
        time => [ map { midnight('2025-01-01') + $_ } 1 .. 5 ],
        map { my $type = $_; ($type => [ map { $type =~ /bytes/ ? "\0$_\n\xff" : $_ } 1 .. 5 ]) } keys %types,
    }, types => { map { ("lab/T/$_" => $_) } keys %types });
}
big_day("$data", 'coinbase/BIG/MD', '2025-01-01', 10, 'price', 'volume');

# A closed day that is replaced, time last, and live ones that grow, time last, once and three times.
my %changes;
write_day("$data", 'coinbase/REPLACED/MD', $day, rows(0, 39999));
write_day("$_", 'coinbase/REPLACED/MD', $day, rows(0, 49999, 2)) for $later, $stage;
my @columns = qw(id price time);
my %file = map { $_ => file_of($_, day_of($day)) } @columns;
$changes{replaced} = [ [
    [ 'rename', "$data/coinbase/REPLACED/MD/$file{time}", "$stage/old" ],
    map { [ 'rename', "$stage/coinbase/REPLACED/MD/$file{$_}", "$data/coinbase/REPLACED/MD/$file{$_}" ] } @columns,
] ];
for my $case ([ 'grows', 'GROWS', 1 ], [ 'always grows', 'ALWAYS', 3 ]) {
    my ($name, $symbol, $times) = @$case;
    my $series = "coinbase/$symbol/MD";
    write_day("$_", $series, $day, rows(0, 39999), mtime => 'now') for $data, $later;
    for my $n (1 .. $times) {
        my $more = rows(40000 + $n * 100, 40000 + $n * 100 + 50 + $n);
        append_day("$later", $series, $day, $more, mtime => 'now');
        write_day("$stage/$n", $series, $day, $more);
        push @{ $changes{$name} }, [ map { [ 'append', "$stage/$n/$series/$file{$_}", "$data/$series/$file{$_}" ] } @columns ];
    }
}

my $server = Tickd->start(data => "$data", workers => 2, options => [ map { "type=lab/T/$_:$_" } keys %types ]);
my @series = (symbol => 'BTC-USD', type => 'MD');
my @days = (start => '2025-01-01', end => '2025-01-31');
my $noon = midnight('2025-01-02') + 36000 + 500;
my @queries = (
    [ 'several days' => @series, columns => 'time,nanos,price,id', @days ],
    [ 'a stretch of seconds' => @series, columns => 'time,price', start => $noon, end => $noon + 99 ],
    [ 'a day' => @series, columns => 'time,price', start => '2025-01-02', end => '2025-01-02' ],
    [ 'with nanoseconds' => @series, columns => 'time,nanos,id', start => '2025-01-02T10:00:10.004999999Z', end => '2025-01-02T10:01:00.029999993Z' ],
    [ 'narrow columns first' => @series, columns => 'time,id', @days, limit => 333 ],
    [ 'wide columns first' => @series, columns => 'id,time', @days, limit => 333 ],
    [ 'without time' => @series, columns => 'price', @days, max_points => 100 ],
    [ 'the last rows' => @series, columns => 'time,price', @days, tail => 7 ],
    [ 'no rows' => @series, columns => 'time,price', start => '2024-01-01', end => '2024-01-31' ],
    [ 'every type' => exchange => 'lab', symbol => 'ALL', type => 'T', columns => 'bytes16,u64,i64,f64,u32,i32,f32,u16,i16,u8,i8,bytes3', @days, missing => 'skip' ],
    [ 'large' => symbol => 'BIG', type => 'MD', columns => 'time,price,volume', start => '2025-01-01', end => '2025-01-01' ],
    (map { [ @$_, type => 'MD', columns => 'id,price,time', start => $day, end => $day ] }
        [ 'replaced', symbol => 'REPLACED' ], [ 'grows', symbol => 'GROWS' ], [ 'always grows', symbol => 'ALWAYS' ]),
    [ 'an unknown symbol' => symbol => 'BTC-EUR', type => 'MD', columns => 'time', @days ],
    [ 'an unknown column' => @series, columns => 'time,best_bdi', @days ],
    [ 'no end' => @series, columns => 'time', start => '2025-01-01' ],
    [ 'a parameter that is none' => @series, columns => 'time', @days, nonsense => 1 ],
);

my %oracle = map { $_ => Tickd::Oracle->new(data => "$_", types => { map { ("lab/T/$_" => $_) } keys %types }) } $data, $later;
my $files = 0;
my $url = 'http://127.0.0.1:' . $server->port;
my %plan = (url => $url, port => $server->port + 0, contrib => source() . '/contrib', limit => deadline(20), seed => $seed, queries => [ map {
    my ($name, @query) = @$_;
    my $expected = $oracle{ $changes{$name} ? $later : $data }->answer(@query);
    my %one = (name => $name, query => {@query}, target => url('/api/data', @query), status => $expected->{status} + 0);
    if ($one{status} == 200) {
        write_file($one{file} = "$stage/expected" . ++$files, $expected->{body});
    } else {
        $one{parameter} = $expected->{parameter};
    }
    @one{qw(later changes)} = (JSON::PP::true, $changes{$name}) if $changes{$name};
    \%one;
} @queries ]);
write_file("$stage/plan", encode_json(\%plan));
says_ok(run_command(120, $python, source() . '/t/client.py', "$stage/plan"), 'tickd.py') or diag "repeat with TICKD_SEED=$seed";
$server->stop_ok;
done_testing;
