#!/usr/bin/perl
# Random queries over random days, bodies compared byte for byte with an oracle that looks at every row.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Http qw(url);
use Tickd::Oracle;
use Tickd::Random qw(seed pick random_series random_query run_queries);
use Time::HiRes qw(time);

my $seed = seed();
note "TICKD_SEED=$seed";
my $rounds = $ENV{TICKD_TEST_ROUNDS} || 1;
my $data = scratch();

my @series = map { random_series($data, "S$_") } 1 .. 40;
@series = grep { @{ $_->{days} } > 1 } @series;
my @types = map { "type=$_:$Tickd::Random::TYPES{$_}" } sort keys %Tickd::Random::TYPES;
# Few mapped files in the second server, so that they come and go.
for my $setting ([], [ 'max_mapped=64', 'revalidate=50ms' ]) {
    my $server = Tickd->start(data => $data, workers => 2, options => [ @types, @$setting ]);
    my $oracle = Tickd::Oracle->new(data => $data, types => \%Tickd::Random::TYPES);
    my $did = run_queries($server, $oracle, 4000 * $rounds, seconds(7) * $rounds, sub { random_query(pick(@series)) });
    my $by = join ', ', map { "$did->{by}{$_} x $_" } sort keys %{ $did->{by} };
    is($did->{wrong}, '', "$did->{count} queries (@$setting): $did->{rows} rows, $by")
        or diag "repeat with TICKD_SEED=$seed";
    cmp_ok($did->{by}{200} // 0, '>', $did->{count} / 3, 'most of them are answered with rows or without') if $did->{wrong} eq '';
    $server->stop_ok;
}

done_testing;
