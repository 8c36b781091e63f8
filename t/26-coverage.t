#!/usr/bin/perl
# GET /api/coverage: the days of a series, and what is in them.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_day append_day midnight day_in_file type_of size_of unpack_column read_file iso_of);
use Tickd::Http qw(url);

my $data = scratch();
sample("$data");
write_day("$data", 'coinbase/BTC-USD/MD', '2025-01-05', { time => [], price => [] });
write_day("$data", 'coinbase/BTC-USD/MD', '2025-01-06', { time => [ midnight('2025-01-06') + 5, midnight('2025-01-06') + 1 ], price => [ 1, 2 ], odd => [ 1, 2 ] });
write_day("$data", 'coinbase/BTC-USD/MD', '2025-01-07', { price => [1] });    # no time: no day
write_day("$data", 'coinbase/BTC-USD/MD', '2025-01-08', { time => \"\1\2\3\4\5", price => [1] });
write_day("$data", 'coinbase/LIVE/MD', iso_of(int(time / 86400)), { time => [time], price => [1] }, mtime => 'now');
my $server = Tickd->start(data => "$data", workers => 2);
my $http = $server->connect;

sub expected ($exchange, $symbol, $type) {
    my (%day, %columns);
    for my $path (glob "$data/$exchange/$symbol/$type/*") {
        my ($column, $day) = day_in_file($path =~ s{.*/}{}r) or next;
        $columns{$column} = 1;
        $day{$day}{$column} = $path;
    }
    my @columns = ('time', grep { $_ ne 'time' } sort keys %columns);
    my @days;
    for my $day (sort { $a <=> $b } keys %day) {
        my $time = $day{$day}{time} // next;
        my $bytes = 0;
        $bytes += -s $_ for values %{ $day{$day} };
        my $raw = read_file($time);
        my @times = unpack 'V*', $raw;
        my @ordered = sort { $a <=> $b } @times;
        push @days, { day => iso_of($day), rows => scalar @times, bytes => $bytes, first => $ordered[0], last => $ordered[-1],
            live => (time - (stat $time)[9] < 60 ? JSON::PP::true : JSON::PP::false),
            sorted => ("@ordered" eq "@times" ? JSON::PP::true : JSON::PP::false),
            missing => [ grep { !$day{$day}{$_} } @columns ] };
    }
    return { exchange => $exchange, symbol => $symbol, type => $type, days => \@days,
        columns => [ map { my $t = type_of($exchange, $type, $_); +{ name => $_, type => $t, record_size => size_of($t) } } @columns ] };
}

sub right ($name, $exchange, $symbol, $type) {
    my $r = $http->get(url('/api/coverage', exchange => $exchange, symbol => $symbol, type => $type));
    is($r->{status}, 200, "$name: 200") or diag $r->{body};
    is_deeply(eval { decode_json($r->{body}) }, expected($exchange // 'coinbase', $symbol, $type), $name) or diag substr $r->{body}, 0, 2000;
    return;
}

right('a series', 'coinbase', 'BTC-USD', 'MD');
right('the default exchange', undef, 'BTC-USD', 'MD');
right('a live day', undef, 'LIVE', 'MD');
append_day("$data", 'coinbase/LIVE/MD', iso_of(int(time / 86400)), { time => [time], price => [2] }, mtime => 'now');
right('it grows', undef, 'LIVE', 'MD');
write_day("$data", 'coinbase/BTC-USD/MD', '2025-02-01', { time => [ midnight('2025-02-01') ], price => [1] });
right('a day comes', undef, 'BTC-USD', 'MD');
unlink glob "$data/coinbase/BTC-USD/MD/*.04.01.25.bin";
right('a day goes', undef, 'BTC-USD', 'MD');

write_day("$data", 'lab/LONG/MD', iso_of($_), { time => [ 86400 * $_ + 7, 86400 * $_ + 8 ], price => [ 1, 2 ] }) for 16000 .. 17999;
right('two thousand days', 'lab', 'LONG', 'MD');
right('... once more', 'lab', 'LONG', 'MD');
{
    # Clients that leave while their answer is in the making.
    for (1 .. 30) {
        my $gone = $server->connect;
        $gone->send("GET /api/coverage?exchange=lab&symbol=LONG&type=MD HTTP/1.1\r\nHost: x\r\n\r\n");
        $gone->reset;
    }
    right('others left', 'lab', 'LONG', 'MD');
}

is_error($http->get('/api/coverage?symbol=BTC-USD&type=NONE'), 404, 'type', 'no such type');
is_error($http->get('/api/coverage?symbol=NONE&type=MD'), 404, 'symbol', 'no such symbol');
is_error($http->get('/api/coverage?symbol=BTC-USD&type=MD&exchange=none'), 404, 'exchange', 'no such exchange');
is_error($http->get('/api/coverage?type=MD'), 400, 'symbol', 'no symbol');
is_error($http->get('/api/coverage?symbol=BTC-USD'), 400, 'type', 'no type');
is_error($http->get('/api/coverage?symbol=a%2fb&type=MD'), 400, 'symbol', 'no name');
is_error($http->get('/api/coverage?symbol=a&type=MD&columns=x'), 400, 'columns', 'an unknown parameter');
is($http->request('HEAD', '/api/coverage?symbol=BTC-USD&type=MD')->{status}, 200, 'HEAD');
is($http->request('OPTIONS', '/api/coverage')->{status}, 204, 'OPTIONS');
is_deeply([ map { $_->{bytes} } @{ decode_json($http->get('/api/coverage?symbol=BTC-USD&type=MD')->{body})->{days} } ],
    [ 4800, 4800, 0, 24, 9, 8 ], 'bytes, by hand');
$server->stop_ok;
done_testing;
