#!/usr/bin/perl
# GET /api/status: when what was written to.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use JSON::PP;
use POSIX qw(strftime);
use Test::More;
use Tickd;
use Tickd::Data qw(write_day append_day day_in_file);

my $data = scratch();
write_day("$data", 'binance/BTCUSDT/MD', '2025-01-31', { time => [1], price => [1] }, mtime => 1738308120);
write_day("$data", 'binance/ETHUSDT/MD', '2025-01-30', { time => [1] }, mtime => 1738308119);
write_day("$data", 'binance/ETHUSDT/TRADES', '2025-01-29', { time => [1] }, mtime => 1738308000);
write_day("$data", 'coinbase/BTC-USD/BOOK', '2025-01-01', { time => [1] }, mtime => 1735689600);
write_day("$data", 'coinbase/BTC-USD/BOOK', '2025-01-02', { time => [1], price => [1] }, mtime => 1735689500);
make_path("$data/empty/X/MD");
my $server = Tickd->start(data => "$data", workers => 1, options => ['catalog_refresh=0']);
my $http = $server->connect;

sub told ($seconds) {
    return (last_update => $seconds, last_update_date => $seconds ? strftime('%Y-%m-%d %H:%M:%S UTC', gmtime $seconds) : 'Never');
}

sub expected {
    my @exchanges;
    for my $exchange (map { s{.*/}{}r } glob "$data/*") {
        my (%types, $symbol);
        my $newest = 0;
        for my $path (glob "$data/$exchange/*/*") {
            my ($s, $type) = $path =~ m{([^/]+)/([^/]+)\z};
            $types{$type} //= 0;
            for my $file (glob "$path/time.*") {
                my $mtime = (stat $file)[9];
                $types{$type} = $mtime if $mtime > $types{$type};
                ($newest, $symbol) = ($mtime, $s) if $mtime > $newest;
            }
        }
        push @exchanges, { exchange => $exchange, told($newest), md => { told($types{MD} // 0) }, trades => { told($types{TRADES} // 0) },
            types => { map { $_ => { told($types{$_}) } } keys %types }, symbol_checked => $symbol // '' };
    }
    return \@exchanges;
}

sub right ($name) {
    my $r = $http->get('/api/status');
    is($r->{status}, 200, "$name: 200");
    my $json = eval { decode_json($r->{body}) } // {};
    is_deeply($json->{exchanges}, expected(), "$name: as on disk") or diag $r->{body};
    cmp_ok(abs($json->{timestamp} - time), '<', 5, "$name: timestamp");
    ok(JSON::PP::is_bool($json->{cached}), "$name: cached");
    like($json->{fetch_time_ms}, qr/\A\d+\z/, "$name: fetch_time_ms");
    return $json;
}

my $json = right('at first');
is($json->{exchanges}[0]{last_update_date}, '2025-01-31 07:22:00 UTC', 'by hand');
append_day("$data", 'binance/ETHUSDT/TRADES', '2025-01-29', { time => [2] }, mtime => 1738308200);
right('a file grows');
write_day("$data", 'binance/NEW/BOOK', '2025-02-01', { time => [2] }, mtime => 1738308300);
right('a symbol comes');
write_day("$data", 'binance/BTCUSDT/MD', '2025-02-01', { time => [2] }, mtime => 'now');
right('a day comes');
unlink glob "$data/binance/BTCUSDT/MD/time.*";
right('days go');
write_day("$data", 'binance/BTCUSDT/MD', '2025-02-01', { price => [2] }, mtime => 'now');
right('a column that is not time');
ok(!$json->{cached}, 'nothing is cached without catalog_refresh');
is_error($http->get('/api/status?exchange=x'), 400, 'exchange', 'no parameters');
is($http->request('HEAD', '/api/status')->{status}, 200, 'HEAD');
is($http->request('OPTIONS', '/api/status')->{status}, 204, 'OPTIONS');
$server->stop_ok;

$server = Tickd->start(data => "$data", workers => 1, options => ['catalog_refresh=1h']);
$http = $server->connect;
my $first = decode_json($http->get('/api/status')->{body});
my $second = decode_json($http->get('/api/status')->{body});
ok(!$first->{cached}, 'the first look is one');
ok($second->{cached}, 'the second is not');
is($second->{fetch_time_ms}, 0, 'and takes no time');
is($second->{timestamp}, $first->{timestamp}, 'it tells when that was');
is_deeply($second->{exchanges}, $first->{exchanges}, 'the same');
$server->stop_ok;
done_testing;
