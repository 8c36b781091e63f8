#!/usr/bin/perl
# A chart's front-end, in Node.js: it streams answers into columns, and lays typed arrays on them. t/front-end.mjs is it.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Tickd;
use Tickd::Data qw(sample big_day write_file midnight);
use Tickd::Http qw(url);
use Tickd::Oracle;

plan skip_all => 'no Node.js with fetch'
    if run_command(20, 'node', '-e', 'process.exit(typeof fetch === "function" ? 0 : 1)')->{status} ne '0';

my $data = scratch();
sample("$data");
big_day("$data", 'coinbase/BIG/MD', '2025-01-01', 10, 'price', 'volume');
my $server = Tickd->start(data => "$data", workers => 2);
my $oracle = Tickd::Oracle->new(data => "$data");

my @series = (symbol => 'BTC-USD', type => 'MD');
my @days = (start => '2025-01-01', end => '2025-01-31');
my $noon = midnight('2025-01-02') + 36000 + 500;
my @queries = (
    [ 'one column' => @series, columns => 'price', start => '2025-01-02', end => '2025-01-02' ],
    [ 'several days' => @series, columns => 'time,price,volume', @days ],
    [ 'wider columns first' => @series, columns => 'id,price,time,volume', @days, limit => 333 ],
    [ 'a stretch of seconds' => @series, columns => 'time,nanos,price', start => $noon, end => $noon + 99 ],
    [ 'at most 100 points' => @series, columns => 'time,price', @days, max_points => 100 ],
    [ 'the last rows' => @series, columns => 'time,price', @days, tail => 7 ],
    [ 'no rows' => @series, columns => 'time,price', start => '2024-01-01', end => '2024-01-31' ],
    [ 'large' => symbol => 'BIG', type => 'MD', columns => 'time,price,volume', start => '2025-01-01', end => '2025-01-01' ],
    [ 'an unknown symbol' => symbol => 'BTC-EUR', type => 'MD', columns => 'time', @days ],
    [ 'an unknown column' => @series, columns => 'time,best_bdi', @days ],
    [ 'no end' => @series, columns => 'time', start => '2025-01-01' ],
);

my $files = 0;
my %plan = (base => 'http://127.0.0.1:' . $server->port, queries => [ map {
    my ($name, @query) = @$_;
    my $expected = $oracle->answer(@query);
    my %one = (name => $name, target => url('/api/data', @query), status => $expected->{status} + 0);
    if ($one{status} == 200) {
        write_file($one{file} = "$data/.expected" . ++$files, $expected->{body});
    } else {
        $one{parameter} = $expected->{parameter};
    }
    \%one;
} @queries ]);
write_file("$data/.plan", encode_json(\%plan));
says_ok(run_command(60, 'node', source() . '/t/front-end.mjs', "$data/.plan"), 'the front-end');
$server->stop_ok;
done_testing;
