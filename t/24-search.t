#!/usr/bin/perl
# GET /api/symbol-search: what comes first, and what is said of it.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use JSON::PP;
use Test::More;
use Tickd;
use Tickd::Data qw(write_file);
use Tickd::Http qw(url);

my $home = scratch();
my $data = "$home/data";
make_path(map { "$data/$_/MD" } qw(coinbase/BTC-USD coinbase/ETH-USD coinbase/ETH-BTC coinbase/SOL-EUR binance/BTCUSDT binance/ETHUSDC
    bitfinex/tBTCUSD kraken/XBT_EUR kraken/DOGE_USD stocks/ACME));
make_path("$data/coinbase/NOTHING-USD", "$home/symbols");
write_file("$home/symbols/coinbase.json", encode_json({
    'BTC-USD' => { normalized_id => 'BTC/USD', base => 'BTC', quote => 'USD', display_name => 'Bitcoin / US Dollar',
        description => "The first coin, traded in \x{fc}ber dollars", tags => [ 'btc', 'bitcoin', 'gold' ], category => 'crypto' },
    'SOL-EUR' => { display_name => 'Solana', description => 'fast chain' },
    'GONE-USD' => { display_name => 'not on disk' },
}));
write_file("$home/symbols/kraken.json", '{"DOGE_USD": {');
my $server = Tickd->start(data => $data, workers => 2, options => [ 'catalog_refresh=0', "symbols_dir=$home/symbols" ]);
my $http = $server->connect;

sub search ($q) {
    my $r = $http->get(url('/api/symbol-search', q => $q));
    is($r->{status}, 200, "'$q': 200") or return {};
    return eval { decode_json($r->{body}) } // {};
}

# ranks(QUERY, 'id score', ...)
sub ranks ($q, @expected) {
    my $json = search($q);
    is_deeply([ map { "$_->{normalized_id} $_->{relevance_score}" } @{ $json->{results} } ], \@expected, "'$q'");
    for my $result (@{ $json->{results} }) {
        my @bad = grep { !defined $result->{$_} || ref $result->{$_} } qw(normalized_id display_name description base quote category);
        is("@bad", '', "'$q', $result->{normalized_id}: every string is one");
    }
    return $json;
}

subtest 'ranks' => sub {
    ranks('btc/usd', 'BTC/USD 150');
    ranks('USD BTC', 'BTC/USD 150');
    ranks('btcusdt', 'BTC/USD 150');
    ranks('btc', map { "$_ 120" } qw(BTC/EUR BTC/USD ETH/BTC));
    ranks('gold', 'BTC/USD 80');
    ranks('bit', 'BTC/USD 70');
    ranks('first', 'BTC/USD 50');
    ranks('irs', 'BTC/USD 40');
    ranks("\xc3\x9cBER", 'BTC/USD 50');
    ranks('first dollar', 'BTC/USD 100');
    ranks('the first coin', 'BTC/USD 100');
    ranks('fast sol', 'SOL/EUR 100');
    ranks('xbt', 'BTC/EUR 120');
    ranks('acme', 'ACME 150');
    ranks('doge usd', 'DOGE/USD 150');
};

subtest 'what is said' => sub {
    my ($result) = @{ search('btc usd')->{results} };
    is_deeply($result->{exchanges}, [
        { exchange => 'binance', symbol => 'BTCUSDT' }, { exchange => 'bitfinex', symbol => 'tBTCUSD' },
        { exchange => 'coinbase', symbol => 'BTC-USD' },
    ], 'all that have it');
    is($result->{display_name}, 'Bitcoin / US Dollar', 'by its file');
    is($result->{category}, 'crypto', 'category');
    my $none = $http->get('/api/symbol-search');
    is_deeply([ sort keys %{ decode_json($none->{body}) } ], [qw(message results)], 'without q');
    is($http->get('/api/symbol-search?q=')->{body}, $none->{body}, 'an empty q');
    my $nothing = search('nix "da"');
    is_deeply($nothing->{results}, [], 'nothing found');
    is($nothing->{query}, 'nix "da"', 'query');
    ok(length $nothing->{message}, 'message');
    is_deeply(search('gone')->{results}, [], 'what is not on disk is not found');
    is_deeply(search('nothing')->{results}, [], 'nor what has no series');
    is(scalar @{ decode_json($http->get('/api/symbol-search?q=btc+usd')->{body})->{results} }, 1, 'a plus is a space');
    is_error($http->get('/api/symbol-search?q=' . 'x' x 129), 400, 'q', 'too long');
    is($http->get('/api/symbol-search?q=' . 'x' x 128)->{status}, 200, 'not too long');
    is_error($http->get('/api/symbol-search?q=%ff'), 400, 'q', 'no UTF-8');
    is_error($http->get('/api/symbol-search?query=x'), 400, 'query', 'another parameter');
    is($http->request('HEAD', '/api/symbol-search?q=btc')->{status}, 200, 'HEAD');
};

subtest 'files' => sub {
    my @told = $server->log_text =~ /(kraken\.json is ignored)/g;
    cmp_ok(scalar @told, '<=', 2, 'a broken file is logged once by a worker');
    cmp_ok(scalar @told, '>=', 1, '... but it is');
    write_file("$home/symbols/kraken.json.new", '{"DOGE_USD": {"display_name": "Much wow"}}');
    rename "$home/symbols/kraken.json.new", "$home/symbols/kraken.json" or die $!;
    ranks('wow', 'DOGE/USD 70');
    make_path("$data/kraken/WOW_USD/MD");
    ranks('wow', 'WOW/USD 120', 'DOGE/USD 70');
    make_path(map { sprintf "$data/kraken/WOW%02d_USD/MD", $_ } 1 .. 30);
    ranks('wow', 'WOW/USD 120', map { sprintf 'WOW%02d/USD 120', $_ } 1 .. 19);
};

$server->stop_ok;
done_testing;
