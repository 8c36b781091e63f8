#!/usr/bin/perl
# GET /api/data: every parameter and its errors, every column type, and what days can look like.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use POSIX ();
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_day append_day write_file read_file midnight day_of iso_of file_of unpack_column OLD);
use Tickd::Http qw(url show encode);
use Tickd::Oracle;
use Time::HiRes qw(time);

my $home = scratch();
my $data = "$home/data";
make_path($data);
sample($data);
my %types = ('lab/ODD/*' => 'i16', 'lab/ALL/wide' => 'u64');
my $server = Tickd->start(data => $data, workers => 2, options => [ 'type=lab/ALL/wide:u64', map { "type=lab/ALL/$_:$_" } qw(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 bytes1 bytes3 bytes16 bytes4096) ]);
my $oracle = Tickd::Oracle->new(data => $data, types => { %types, map { ("lab/ALL/$_" => $_) } qw(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 bytes1 bytes3 bytes16 bytes4096) });
my $http = $server->connect;

my @base = (symbol => 'BTC-USD', type => 'MD');
my @all = (@base, columns => 'time,id', start => '2025-01-01', end => '2025-01-31');
my $first = midnight('2025-01-01') + 36000;    # of the sample's rows, one each ten seconds

# get(NAME => VALUE, ...): on the connection all of them share.
sub get {
    my (@query) = @_;
    $http = $server->connect if $http->{eof};
    return $http->get(url('/api/data', @query));
}

# right(NAME, QUERY): as the oracle says.
sub right {
    my ($name, @query) = @_;
    my $expected = $oracle->answer(@query);
    my $r = get(@query);
    is_answer($r, $expected, $name);
    return $r;
}

# ids(NAME, [first, last], QUERY): the rows of the sample, told by their id.
sub ids {
    my ($name, $expected, @query) = @_;
    my $r = right($name, @query);
    my $parsed = parse_raw($r->{body});
    my @ids = $parsed->{error} ? () : unpack_column('u64', $parsed->{data}{id});
    my @wanted = @$expected ? ($expected->[0] .. $expected->[1]) : ();
    is("@ids", "@wanted", "$name: by hand") or diag $parsed->{error};
    return $parsed;
}

# with(QUERY..., changes): a copy of @all with parameters replaced; undef takes one out.
sub with {
    my (%change) = @_;
    my %query = (@all, %change);
    return map { defined $query{$_} ? ($_ => $query{$_}) : () } sort keys %query;
}

sub bad {
    my ($parameter, $name, @query) = @_;
    return is_error(get(@query), 400, $parameter, $name);
}

subtest 'the answer' => sub {
    my $r = right('all', @all);
    is($r->{framing}, 'chunked', 'chunked');
    is($r->{headers}{'content-type'}, 'application/octet-stream', 'octets');
    my $parsed = parse_raw($r->{body});
    is($parsed->{error}, undef, 'well-formed');
    is_deeply($parsed->{json}, {
        version => 1, exchange => 'coinbase', symbol => 'BTC-USD', type => 'MD', rows_in_range => 600, skipped_days => [],
        columns => [
            { name => 'time', type => 'u32', record_size => 4, num_records => 600, data_length => 2400, offset => 0 },
            { name => 'id', type => 'u64', record_size => 8, num_records => 600, data_length => 4800, offset => 2400 },
        ],
    }, 'the line, by hand');
    is_deeply([ unpack_column('u64', $parsed->{data}{id}) ], [ 1 .. 600 ], 'all ids');
    my @days = map { midnight("2025-01-0$_") + 36000 } 1, 2, 4;
    is_deeply([ unpack_column('u32', $parsed->{data}{time}) ], [ map { my $d = $_; map { $d + 10 * $_ } 0 .. 199 } @days ], 'all times');
    my $length = right('framing=length', with(framing => 'length'));
    is($length->{framing}, 'length', 'framing=length');
    ok($length->{body} eq $r->{body}, 'the same bytes');
};

subtest 'padding' => sub {
    # Lines of every length mod 64: columns and numbers make them longer one byte at a time.
    my %seen;
    for my $n (1 .. 63) {
        my $symbol = 'S' x $n;
        write_day($data, "pad/$symbol/MD", '2025-01-01', { time => [ midnight('2025-01-01') ] });
        my $r = get(exchange => 'pad', symbol => $symbol, type => 'MD', columns => 'time', start => '2025-01-01', end => '2025-01-01');
        my $parsed = parse_raw($r->{body});
        $seen{ $parsed->{line} =~ /( *)\z/ ? length $1 : -1 }++ if !$parsed->{error};
        is_answer($r, $oracle->answer(exchange => 'pad', symbol => $symbol, type => 'MD', columns => 'time', start => '2025-01-01', end => '2025-01-01'))
            or fail("a symbol of $n bytes");
    }
    is(scalar keys %seen, 63, 'paddings of 63 lengths were right');
};

subtest 'required parameters' => sub {
    for my $name (qw(symbol type columns start end)) {
        bad($name, "no $name", with($name => undef));
        bad($name, "an empty $name", with($name => ''));
    }
    is_error($server->get('/api/data'), 400, qr/\A(?:symbol|type|columns|start|end)\z/, 'nothing at all');
    is_error($server->get('/api/data?'), 400, qr/\A(?:symbol|type|columns|start|end)\z/, 'an empty query');
    bad('end', 'tail needs no start, but an end', with(tail => 3, start => undef, end => undef));
};

subtest 'unknown, repeated, malformed' => sub {
    bad('nonsense', 'an unknown one', with(nonsense => 1));
    bad('Symbol', 'names are case-sensitive', with(Symbol => 'x'));
    bad('symbol ', 'a space is part of a name', with('symbol ' => 'x'));
    bad('q', 'one of another endpoint', with(q => 'x'));
    right('a cache-buster', with(_ => 12345));
    right('another', with(_nonsense => 'x'));
    for my $name (qw(symbol type columns start end exchange)) {
        my %have = (@all, exchange => 'coinbase');
        my @query = with(exchange => 'coinbase');
        is_error($server->get(url('/api/data', @query, $name => $have{$name})), 400, $name, "$name twice");
    }
    is_error($server->get(url('/api/data', @all, $_ => 1, $_ => 1)), 400, $_, "$_ twice") for qw(limit tail max_points);
    is_error($server->get(url('/api/data', @all, $_->[0] => $_->[1], $_->[0] => $_->[1])), 400, $_->[0], "$_->[0] twice")
        for [ missing => 'error' ], [ framing => 'length' ], [ format => 'raw' ], [ downsample => 'stride' ];
    my $query = url('/api/data', @all);
    is_error($server->get("$query&limit=%"), 400, undef, 'a percent sign alone');
    is_error($server->get("$query&limit=%3"), 400, undef, 'half an escape');
    is_error($server->get("$query&limit=%zz"), 400, undef, 'an escape that is none');
    is_error($server->get("$query&limit=5%00"), 400, undef, 'a NUL at the end of a value');
    is_error($server->get("$query&limit"), 400, 'limit', 'no equals sign') if $server->get("$query&limit")->{status} != 200;
    is_error($server->get("$query&nonsense"), 400, 'nonsense', 'an unknown one without a value');
    is_error($server->get("$query&=1"), 400, undef, 'an empty name');
    my $escaped = $query =~ s/symbol=BTC/%73ymbol=%42%54%43/r;
    is_answer($server->get($escaped), $oracle->answer(@all), 'escapes in names and values');
    is_answer($server->get($query =~ s/%2C/,/gr), $oracle->answer(@all), 'a comma as it is');
};

subtest 'names' => sub {
    for my $name (qw(symbol type exchange)) {
        for my $value ('.', '..', '../x', 'a/b', '/', '.hidden', 'a..b', "a\0b", "a\nb", "a\x7f", 'a b', "\xc3\xa4", 'x' x 65, 'a%2fb', '%2e%2e',
            'a\\b', '@x', 'a,b', '~', 'a+b', '*', '-/..', 'a/../b', "..\0", "a\0")
        {
            bad($name, "$name: " . show(substr $value, 0, 20), with($name => $value));
        }
        is_error(get(with($name => 'x' x 64)), 404, $name, "$name: 64 bytes are a name");
    }
    for my $value ('.', '..', '../time', 'a/b', '.time', 'ti..me', "time\0", "time\n", "\xc3\xa4", 'x' x 65, '@row', 'ti me', 'time,', ',time', 'time,,id', ',',
        'time,..', 'time,time', 'id,time, id', 'time;id', '*')
    {
        bad('columns', 'columns: ' . show(substr $value, 0, 20), with(columns => $value));
    }
    right('spaces around names', with(columns => ' time ,  id'));
    is_error($server->get("/api/data?symbol=..%2f..%2fetc&type=MD&columns=passwd&start=0&end=1"), 400, 'symbol', 'escaped slashes');
    is_error($server->get("/api/data?symbol=%2e%2e&type=MD&columns=time&start=0&end=1"), 400, 'symbol', 'escaped dots');
    is_error($server->get("/api/data?symbol=a+b&type=MD&columns=time&start=0&end=1"), 400, 'symbol', 'a plus is no space here');
    write_day($data, 'e_x:1.0-a/S.y_m:b-c/T.y:p-e_/', '2025-01-01', { 'c.o:l-_x' => [ 1.5 ], time => [ $first ] });
    right('every letter that is allowed', exchange => 'e_x:1.0-a', symbol => 'S.y_m:b-c', type => 'T.y:p-e_', columns => 'c.o:l-_x,time', start => 0, end => '2025-01-02');
    my $long = 'n' x 64;
    write_day($data, "$long/$long/$long", '2025-01-01', { $long => [ 1.5 ], time => [ $first ] });
    right('names of 64 bytes', exchange => $long, symbol => $long, type => $long, columns => "time,$long", start => 0, end => '2025-01-02');
};

subtest 'unknown series' => sub {
    is_error(get(with(exchange => 'nowhere')), 404, qr/\A(?:exchange|symbol|type)\z/, 'exchange');
    is_error(get(with(symbol => 'NONE')), 404, qr/\A(?:exchange|symbol|type)\z/, 'symbol');
    is_error(get(with(type => 'NONE')), 404, qr/\A(?:exchange|symbol|type)\z/, 'type');
    is_error(get(with(symbol => 'btc-usd')), 404, qr/\A(?:exchange|symbol|type)\z/, 'names are case-sensitive');
    my $text = is_error(get(with(columns => 'time,best_bdi')), 404, 'columns', 'column');
    like($text, qr/best_bdi/, 'named');
    like($text, qr{coinbase/BTC-USD/MD}, 'and where');
    is_error(get(with(columns => 'tim')), 404, 'columns', 'the beginning of a column');
    is_error(get(with(columns => 'best_bdi', start => 0, end => 1)), 404, 'columns', 'column, in a range without rows');
    right('exchange given', with(exchange => 'coinbase'));
    right('exchange empty', with(exchange => ''));
    make_path("$data/coinbase/EMPTY/MD");
    is_error(get(with(symbol => 'EMPTY')), 404, qr/\A(?:columns|type|symbol)\z/, 'a series without any file');
    my $other = Tickd->start(data => $data, workers => 1, options => ['default_exchange=pad']);
    is($other->get(url('/api/data', symbol => 'SS', type => 'MD', columns => 'time', start => 0, end => '2026-01-01'))->{status}, 200, '-o default_exchange');
    is_error($other->get(url('/api/data', @all)), 404, 'symbol', 'and no other');
    $other->stop_ok('the other server');
};

subtest 'times' => sub {
    my $t = $first + 100;    # the eleventh row
    ids('integers', [ 11, 21 ], with(start => $t, end => $t + 100));
    ids('one second', [ 11, 11 ], with(start => $t, end => $t));
    ids('between rows', [], with(start => $t + 1, end => $t + 9));
    ids('both bounds count', [ 11, 12 ], with(start => $t, end => $t + 10));
    ids('just inside', [ 12, 12 ], with(start => $t + 1, end => $t + 19));
    ids('RFC 3339, Z', [ 11, 21 ], with(start => '2025-01-01T10:01:40Z', end => '2025-01-01T10:03:20Z'));
    ids('RFC 3339, small letters', [ 11, 21 ], with(start => '2025-01-01t10:01:40z', end => '2025-01-01t10:03:20z'));
    ids('RFC 3339, zones', [ 11, 21 ], with(start => '2025-01-01T15:31:40+05:30', end => '2025-01-01T02:03:20-08:00'));
    ids('a zone across midnight', [ 11, 21 ], with(start => '2024-12-31T22:01:40-12:00', end => '2025-01-02T00:03:20+14:00'));
    is_answer($server->get('/api/data?symbol=BTC-USD&type=MD&columns=time,id&start=2025-01-01T11:01:40+01:00&end=2025-01-01T10:03:20-00:00'),
        $oracle->answer(with(start => $t, end => $t + 100)), 'a plus as it is');
    ids('no decimals: the whole second', [ 11, 11 ], with(start => '2025-01-01T10:01:40Z', end => '2025-01-01T10:01:40Z'));
    # Row 11 has nanos 10 * 4999999 = 49999990; row 12 has 54999989.
    ids('decimals of start, before the row', [ 11, 12 ], with(start => '2025-01-01T10:01:40.049Z', end => $t + 10));
    ids('decimals of start, on the row', [ 11, 12 ], with(start => '2025-01-01T10:01:40.04999999Z', end => $t + 10));
    ids('decimals of start, after the row', [ 12, 12 ], with(start => '2025-01-01T10:01:40.049999991Z', end => $t + 10));
    ids('decimals of end, before the row', [ 11, 11 ], with(start => $t, end => '2025-01-01T10:01:50.054999988Z'));
    ids('decimals of end, on the row', [ 11, 12 ], with(start => $t, end => '2025-01-01T10:01:50.054999989Z'));
    ids('decimals of both', [ 12, 12 ], with(start => '2025-01-01T10:01:40.5Z', end => '2025-01-01T10:01:50.1Z'));
    ids('decimals, and a zone', [ 12, 12 ], with(start => '2025-01-01T11:01:40.5+01:00', end => '2025-01-01T09:01:50.1-01:00'));
    ids('decimals that are 0 are an instant', [], with(start => $t, end => '2025-01-01T10:01:40.0Z'));
    ids('dates', [ 1, 400 ], with(start => '2025-01-01', end => '2025-01-02'));
    ids('a date as end is its whole day', [ 201, 400 ], with(start => '2025-01-02', end => '2025-01-02'));
    ids('a day without files', [], with(start => '2025-01-03', end => '2025-01-03'));
    ids('a date and a time', [ 201, 202 ], with(start => '2025-01-02', end => '2025-01-02T10:00:10Z'));
    ids('the whole of u32', [ 1, 600 ], with(start => 0, end => 4294967295));
    ids('before all', [], with(start => 0, end => $first - 1));
    ids('after all', [], with(start => '2025-01-05', end => '2025-06-01'));
    ids('leading zeros', [ 11, 11 ], with(start => "0$t", end => "0$t")) if get(with(start => "0$t", end => "0$t"))->{status} == 200;

    # A series without nanos: start rounds up, end down.
    write_day($data, 'coinbase/PLAIN/MD', '2025-01-01', { time => [ map { $first + $_ } 0 .. 9 ], id => [ 1 .. 10 ] });
    my @plain = (symbol => 'PLAIN', type => 'MD', columns => 'id');
    ids('no nanos: start rounds up', [ 3, 10 ], @plain, start => '2025-01-01T10:00:01.1Z', end => '2025-01-01');
    ids('no nanos: end rounds down', [ 1, 2 ], @plain, start => '2025-01-01', end => '2025-01-01T10:00:01.999999999Z');
    ids('no nanos: .0 is no rounding', [ 2, 2 ], @plain, start => '2025-01-01T10:00:01.0Z', end => '2025-01-01T10:00:01.000Z');
    ids('no nanos: empty after rounding is no error', [], @plain, start => '2025-01-01T10:00:01.1Z', end => '2025-01-01T10:00:01.9Z');
    ids('no nanos: empty after rounding, of the end alone', [], @plain, start => '2025-01-01T10:00:01.1Z', end => '2025-01-01T10:00:01Z');
    bad(qr/\A(?:start|end)\z/, 'no nanos: start > end is judged before', @plain, start => '2025-01-01T10:00:01.9Z', end => '2025-01-01T10:00:01.1Z');
    bad(qr/\A(?:start|end)\z/, 'no nanos: start > end by a nanosecond', @plain, start => '2025-01-01T10:00:01.000000001Z', end => '2025-01-01T10:00:01.0Z');

    bad(qr/\A(?:start|end)\z/, 'start > end', with(start => $t + 1, end => $t));
    bad(qr/\A(?:start|end)\z/, 'start > end, as dates', with(start => '2025-01-02', end => '2025-01-01'));
    for my $name (qw(start end)) {
        for my $value ('x', '-1', '+1', '1.5', '1e9', ' 1', '1 ', '0x1', '4294967296', '99999999999999999999999', '18446744073709551616',
            '2025-13-01', '2025-00-01', '2025-02-29', '2025-01-32', '2025-1-1', '2025-01', '2025', '20250101x', '25-01-01', '2025/01/01',
            '2025-01-01T10:00:00', '2025-01-01T10:00Z', '2025-01-01T24:00:00Z', '2025-01-01T10:60:00Z', '2025-01-01T10:00:61Z', '2025-01-01T10:00:00.Z',
            '2025-01-01T10:00:00.1234567890Z', '2025-01-01T10:00:00,5Z', '2025-01-01T10:00:00+1:00', '2025-01-01T10:00:00+24:00', '2025-01-01T10:00:00+01:60', '2025-01-01T10:00:00+0100',
            '2025-01-01T10:00:00ZZ', '2025-01-01T10:00:00Z ', '1969-12-31', '1969-12-31T23:59:59Z', '1970-01-01T00:00:00+00:01', '2106-02-08', '2106-02-07T06:28:16Z', '9999-12-31', 'now', 'today',
            "2025-01-01\0", "\x{0661}", '2025-01-01T10:00:00-25:00')
        {
            next if $value eq '2025';    # a second of the year 1970
            bad($name, "$name: " . show($value), with($name => $value));
        }
        like(bad($name, "$name in milliseconds", with($name => '1735725600000')), qr/millisec/i, 'says so');
    }
    ids('the last second there is', [ 1, 600 ], with(start => '1970-01-01T00:00:00Z', end => '2106-02-07T06:28:15Z'));
    right('the last instant there is', with(start => 0, end => '2106-02-07T06:28:15.999999999Z'));
};

subtest 'limit and tail' => sub {
    ids('limit', [ 1, 5 ], with(limit => 5));
    ids('limit 1', [ 1, 1 ], with(limit => 1));
    ids('limit across days', [ 1, 250 ], with(limit => 250));
    ids('limit to the end of a day', [ 1, 200 ], with(limit => 200));
    ids('limit of all', [ 1, 600 ], with(limit => 600));
    ids('limit of more', [ 1, 600 ], with(limit => 601));
    ids('limit of far more', [ 1, 600 ], with(limit => '9223372036854775807'));
    ids('limit of an empty range', [], with(limit => 5, start => 0, end => 1));
    ids('tail', [ 596, 600 ], with(tail => 5));
    ids('tail 1', [ 600, 600 ], with(tail => 1));
    ids('tail across days', [ 351, 600 ], with(tail => 250));
    ids('tail of a whole day', [ 401, 600 ], with(tail => 200));
    ids('tail of all', [ 1, 600 ], with(tail => 600));
    ids('tail of more', [ 1, 600 ], with(tail => 601));
    ids('tail without start', [ 596, 600 ], with(tail => 5, start => undef));
    ids('tail with an empty start', [ 596, 600 ], with(tail => 5, start => ''));
    ids('tail without start, in the middle', [ 198, 200 ], with(tail => 3, start => undef, end => '2025-01-01'));
    ids('tail without start, where nothing is', [], with(tail => 3, start => undef, end => 5));
    ids('tail in a range', [ 10, 11 ], with(tail => 2, start => $first, end => $first + 100));
    ids('an empty limit is none', [ 1, 600 ], with(limit => ''));
    ids('an empty tail is none', [ 1, 600 ], with(tail => ''));
    my $parsed = ids('rows_in_range', [ 1, 5 ], with(limit => 5));
    is($parsed->{json}{rows_in_range}, 600, 'is what there is before the limit');
    for my $name (qw(limit tail)) {
        bad($name, "$name: " . show($_), with($name => $_)) for '0', '-1', '+1', 'x', '1.5', '1e3', ' 1', '1 ', '0x10', '99999999999999999999999', "1\0";
    }
    bad(qr/\A(?:limit|tail)\z/, 'both', with(limit => 1, tail => 1));
};

subtest 'max_points' => sub {
    for my $n (1, 2, 3, 7, 100, 199, 200, 201, 299, 300, 301, 599, 600, 601, 1000, '4294967296', '9223372036854775807') {
        my $r = right("max_points=$n", with(max_points => $n));
        my $parsed = parse_raw($r->{body});
        my $stride = POSIX::ceil(600 / $n) || 1;
        my @wanted = map { 1 + $stride * $_ } 0 .. POSIX::ceil(600 / $stride) - 1;
        is_deeply([ unpack_column('u64', $parsed->{data}{id} // '') ], \@wanted, "max_points=$n: by hand");
        cmp_ok(scalar @wanted, '<=', $n, 'no more than that');
        is($parsed->{json}{rows_in_range}, 600, 'rows_in_range is what there was');
    }
    ids('max_points=0 is no limit', [ 1, 600 ], with(max_points => 0));
    ids('an empty one is none', [ 1, 600 ], with(max_points => ''));
    ids('an empty range', [], with(max_points => 10, start => 0, end => 1));
    right('downsample=stride', with(max_points => 7, downsample => 'stride'));
    right('downsample without max_points', with(downsample => 'stride'));
    right('an empty downsample', with(max_points => 7, downsample => ''));
    right('in a range', with(max_points => 7, start => $first + 55, end => '2025-01-02T10:10:01Z'));
    right('one column', with(max_points => 7, columns => 'price'));
    bad('downsample', "downsample=$_", with(max_points => 7, downsample => $_)) for 'average', 'STRIDE', 'stride,m4';
    bad('max_points', 'max_points: ' . show($_), with(max_points => $_)) for '-1', 'x', '1.5', '1e3', ' 1', '99999999999999999999999';
    bad(qr/\A(?:max_points|limit)\z/, 'with limit', with(max_points => 7, limit => 1));
    bad(qr/\A(?:max_points|tail)\z/, 'with tail', with(max_points => 7, tail => 1));
};

subtest 'format, framing, missing' => sub {
    right('format=raw', with(format => 'raw'));
    right('an empty format', with(format => ''));
    bad('format', "format=$_", with(format => $_)) for 'RAW', 'xml', 'raw,csv';
    right('an empty framing', with(framing => ''));
    bad('framing', "framing=$_", with(framing => $_)) for qw(none Chunked LENGTH);
    right("missing=$_", with(missing => $_)) for qw(error skip prefix), '';
    bad('missing', "missing=$_", with(missing => $_)) for qw(ignore ERROR);
    for my $accept ('*/*', 'text/html, application/xhtml+xml;q=0.9', 'application/json', 'x') {
        is_answer($http->get(url('/api/data', @all), Accept => $accept, 'Accept-Encoding' => 'gzip, br'), $oracle->answer(@all), "Accept: $accept");
    }
};

subtest 'columns' => sub {
    right('one', with(columns => 'price'));
    right('order is kept', with(columns => 'id,volume,time,price'));
    right('and the other way round', with(columns => 'price,time,volume,id'));
    right('nanos as a column', with(columns => 'nanos'));
    right('nanos as a column and for the bounds', with(columns => 'nanos,id', start => '2025-01-01T10:00:10.001Z', end => '2025-01-02T10:00:10.001Z'));
    my @many = map { sprintf 'c%02d', $_ } 1 .. 65;
    write_day($data, 'coinbase/WIDE/MD', '2025-01-01', { time => [ $first, $first + 1 ], map { ($_ => [ length, ord ]) } @many });
    right('64 of them', with(symbol => 'WIDE', columns => join ',', @many[ 0 .. 63 ]));
    bad('columns', '65 of them', with(symbol => 'WIDE', columns => join ',', @many));
    my $narrow = Tickd->start(data => $data, workers => 1, options => [ 'max_columns=2', 'max_days=2' ]);
    is_error($narrow->get(url('/api/data', with(columns => 'time,price,id'))), 400, 'columns', '-o max_columns=2');
    is_answer($narrow->get(url('/api/data', with(end => '2025-01-02'))), $oracle->answer(with(end => '2025-01-02')), '-o max_days=2: two days');
    is_error($narrow->get(url('/api/data', @all)), 400, undef, '-o max_days=2: three days');
    is_answer($narrow->get(url('/api/data', with(start => '2025-01-02', end => '2100-01-01'))), $oracle->answer(with(start => '2025-01-02', end => '2100-01-01')),
        'only days that exist count') if $narrow->get(url('/api/data', with(start => '2025-01-02', end => '2100-01-01')))->{status} == 200;
    $narrow->stop_ok('the narrow server');
};

subtest 'column types' => sub {
    my %value = (
        u8 => [ 0, 255, 7 ], i8 => [ -128, 127, -1 ], u16 => [ 0, 65535, 258 ], i16 => [ -32768, 32767, -2 ],
        u32 => [ 0, 4294967295, 67305985 ], i32 => [ -2147483648, 2147483647, -3 ], u64 => [ 0, 18446744073709551615, 578437695752307201 ],
        i64 => [ -9223372036854775807, 9223372036854775807, -4 ], f32 => [ 0.1, -1e30, 'nan' ], f64 => [ 0.1, -1e300, 'inf' ],
        bytes1 => [ "\0", "\xff", 'a' ], bytes3 => [ "abc", "\0\0\0", "xyz" ], bytes16 => [ 'a' x 16, "\xff" x 16, "0123456789abcdef" ],
        bytes4096 => [ 'a' x 4096, "\xff" x 4096, '0123456789abcdef' x 256 ],
        time => [ $first, $first, $first + 1 ], nanos => [ 1, 2, 999_999_999 ], side => [ 0, 1, 0 ], id => [ 1, 2, 1 << 40 ],
        maker_order_id => [ 'm' x 16, 'n' x 16, "\0" x 16 ], taker_order_id => [ 't' x 16, 'u' x 16, "\1" x 16 ], anything => [ 1, 2, 3 ],
    );
    write_day($data, 'lab/T/ALL', '2025-01-01', \%value, types => $oracle->{types});
    my @lab = (exchange => 'lab', symbol => 'T', type => 'ALL', start => 0, end => '2025-01-02');
    my %expected = (time => 'u32', nanos => 'u32', side => 'u32', id => 'u64', maker_order_id => 'bytes16', taker_order_id => 'bytes16', anything => 'f32');
    for my $column (sort keys %value) {
        my $r = right($column, @lab, columns => $column);
        my $parsed = parse_raw($r->{body});
        is($parsed->{json}{columns}[0]{type}, $expected{$column} // $column, "$column: its type");
        right("$column, a row of it", @lab, columns => "time,$column", limit => 2);
        right("$column, the last of it", @lab, columns => "$column,time", tail => 1);
    }
    right('all at once', @lab, columns => join ',', sort keys %value);
    right('widest first', @lab, columns => 'bytes16,u64,f64,i64,u32,f32,time,u16,i16,u8,i8');
    my $typed = Tickd->start(data => $data, workers => 1, options => [ 'type=*/ALL/anything:bytes4', 'type=lab/*/u8:i8', 'type=*/*/id:i64', 'type=lab/*/i8:f32', 'type=lab/ALL/i8:u8' ]);
    my %table = ('*/ALL/anything' => 'bytes4', 'lab/*/u8' => 'i8', '*/*/id' => 'i64', 'lab/ALL/i8' => 'u8', 'lab/*/i8' => 'f32');
    my $other = Tickd::Oracle->new(data => $data, types => \%table);
    is_answer($typed->get(url('/api/data', @lab, columns => 'anything,u8,id,i8,side')), $other->answer(@lab, columns => 'anything,u8,id,i8,side'),
        'types with stars; the more exact one, which comes later, stands');
    $typed->stop_ok('the typed server');
};

subtest 'days' => sub {
    my @series = (symbol => 'DAYS', type => 'MD');
    my $at = sub { midnight($_[0]) + $_[1] };
    # Rows on the last and first second of a day, a leap day, a year's end, far away days, rows that lie in a neighbour's file.
    write_day($data, 'coinbase/DAYS/MD', '2024-02-28', { time => [ $at->('2024-02-28', 0), $at->('2024-02-28', 86399), $at->('2024-02-28', 86399) ], id => [ 1, 2, 3 ] });
    write_day($data, 'coinbase/DAYS/MD', '2024-02-29', { time => [ $at->('2024-02-28', 86399), $at->('2024-02-29', 0), $at->('2024-02-29', 0), $at->('2024-03-01', 0) ], id => [ 4 .. 7 ] });
    write_day($data, 'coinbase/DAYS/MD', '2024-03-01', { time => [ $at->('2024-03-01', 0), $at->('2024-03-01', 5) ], id => [ 8, 9 ] });
    write_day($data, 'coinbase/DAYS/MD', '2024-12-31', { time => [ $at->('2024-12-31', 86399) ], id => [10] });
    write_day($data, 'coinbase/DAYS/MD', '2025-01-01', { time => [ $at->('2025-01-01', 0) ], id => [11] });
    write_day($data, 'coinbase/DAYS/MD', '2000-01-01', { time => [ $at->('2000-01-01', 1) ], id => [0] });
    write_day($data, 'coinbase/DAYS/MD', '2099-12-31', { time => [ $at->('2099-12-31', 1) ], id => [12] });
    write_day($data, 'coinbase/DAYS/MD', '2024-03-02', { time => [], id => [] });
    my @q = (@series, columns => 'id,time');
    ids('all of them', [ 0, 12 ], @q, start => 0, end => 4294967295);
    ids('the last second of a day', [ 2, 4 ], @q, start => $at->('2024-02-28', 86399), end => $at->('2024-02-28', 86399));
    ids('midnight', [ 5, 6 ], @q, start => $at->('2024-02-29', 0), end => $at->('2024-02-29', 0));
    ids('across midnight', [ 2, 6 ], @q, start => $at->('2024-02-28', 86399), end => $at->('2024-02-29', 0));
    ids('a row in the file of the day before', [ 7, 8 ], @q, start => $at->('2024-03-01', 0), end => $at->('2024-03-01', 4));
    ids('a range in which only a neighbour has a row', [ 7, 9 ], @q, start => '2024-03-01', end => '2024-03-01');
    ids('the days around', [ 1, 9 ], @q, start => '2024-02-28', end => '2024-03-02');
    ids('a leap day', [ 5, 6 ], @q, start => '2024-02-29', end => '2024-02-29');
    ids('across a year', [ 10, 11 ], @q, start => '2024-12-31T23:59:59Z', end => '2025-01-01T00:00:00Z');
    ids('a day with no rows', [], @q, start => '2024-03-02', end => '2024-03-02');
    ids('the first day', [ 0, 0 ], @q, start => 0, end => '2000-01-01');
    ids('the last day', [ 12, 12 ], @q, start => '2099-12-31', end => 4294967295);
    ids('a hundred years', [ 0, 12 ], @q, start => '1990-01-01', end => '2100-12-31');
    ids('tail of a hundred years', [ 11, 12 ], @q, end => '2100-12-31', tail => 2);
    for my $name ('time.31.02.24.bin', 'time.00.01.24.bin', 'time.01.13.24.bin', 'time.1.1.24.bin', 'time.01.01.2024.bin', 'time.01.01.24.bin.tmp', '.time.05.03.24.bin', 'time.05.03.24',
        'junk', 'time.05.03.24.BIN', 'id..bin')
    {
        write_file("$data/coinbase/DAYS/MD/$name", pack('V', $at->('2024-03-05', 0)), OLD);
    }
    ids('files of other names are nobody', [ 0, 12 ], @q, start => 0, end => 4294967295);
};

subtest 'unsorted days' => sub {
    my @series = (symbol => 'LATE', type => 'MD', columns => 'id,time');
    my $t = midnight('2025-02-03') + 1000;
    write_day($data, 'coinbase/LATE/MD', '2025-02-03', { time => [ map { $t + $_ } 0, 5, 3, 9, 1, 9, 20, 15 ], id => [ 1 .. 8 ], price => [ 1 .. 8 ] });
    write_day($data, 'coinbase/LATE/MD', '2025-02-04', { time => [ map { $t + 86400 + $_ } 0 .. 3 ], id => [ 9 .. 12 ], price => [ 9 .. 12 ] });
    right('in file order', @series, start => 0, end => '2025-02-05');
    for my $from (-1 .. 21) {
        for my $length (0 .. 5, 30) {
            my @query = (@series, start => $t + $from, end => $t + $from + $length);
            is_answer(get(@query), $oracle->answer(@query)) or fail("rows $from and $length on");
        }
    }
    right('limit', @series, start => $t + 1, end => $t + 9, limit => 3);
    right('tail', @series, start => $t + 1, end => $t + 9, tail => 3);
    right('stride', @series, start => $t + 1, end => $t + 86402, max_points => 3);
    my $strict = Tickd->start(data => $data, workers => 1, options => ['unsorted=error']);
    my $text = is_error($strict->get(url('/api/data', @series, start => '2025-02-03', end => '2025-02-04')), 500, undef, '-o unsorted=error: 500');
    like($text, qr{coinbase/LATE/MD/time\.03\.02\.25\.bin}, 'naming the file relative to DATA');
    unlike($text, qr/\Q$home\E/, 'and no more of its path');
    is_answer($strict->get(url('/api/data', @series, start => '2025-02-05', end => '2025-02-06')), $oracle->answer(@series, start => '2025-02-05', end => '2025-02-06'),
        'other days are served');
    $strict->stop_ok('the strict server');
};

subtest 'missing and damaged columns of closed days' => sub {
    my @ten = map { midnight('2025-03-01') + $_ } 0 .. 9;
    my $series = 'coinbase/GAPS/MD';
    write_day($data, $series, '2025-03-01', { time => \@ten, id => [ 1 .. 10 ], price => [ 1 .. 10 ] });
    write_day($data, $series, '2025-03-02', { time => [ map { $_ + 86400 } @ten ], id => [ 11 .. 20 ] });                                       # no price
    write_day($data, $series, '2025-03-03', { time => [ map { $_ + 2 * 86400 } @ten ], id => [ 21 .. 30 ], price => [ 1 .. 7 ] });              # short
    write_day($data, $series, '2025-03-04', { time => [ map { $_ + 3 * 86400 } @ten ], id => [ 31 .. 40 ], price => [ 1 .. 12 ] });             # long
    write_day($data, $series, '2025-03-05', { time => [ map { $_ + 4 * 86400 } @ten ], id => [ 41 .. 50 ], price => [ 1 .. 10 ] });
    my $part = read_file("$data/$series/" . file_of('price', day_of('2025-03-05'))) . 'xyz';                                                    # a partial record
    write_file("$data/$series/" . file_of('price', day_of('2025-03-05')), $part, OLD);
    write_day($data, $series, '2025-03-06', { time => [ map { $_ + 5 * 86400 } @ten ], id => [ 51 .. 60 ], price => [] });                      # empty
    write_day($data, $series, '2025-03-07', { time => [], id => [], price => [ 1, 2, 3 ] });                                                     # no rows
    write_day($data, $series, '2025-03-08', { id => [ 1, 2 ], price => [ 1, 2 ] });                                                             # no time: no day
    my @q = (symbol => 'GAPS', type => 'MD', columns => 'id,price');
    my %file = (2 => 'price.02.03.25', 3 => 'price.03.03.25', 4 => 'price.04.03.25', 6 => 'price.06.03.25');
    for my $day (1 .. 8) {
        my @range = (start => "2025-03-0$day", end => "2025-03-0$day");
        for my $missing (qw(error skip prefix)) {
            my $r = get(@q, @range, missing => $missing);
            is_answer($r, $oracle->answer(@q, @range, missing => $missing), "the ${day}th, missing=$missing");
            if ($file{$day} && $missing eq 'error') {
                my $text = is_error($r, 500, undef, 'an error as they are');
                like($text, qr{\Q$series/$file{$day}.bin\E}, 'which names the file relative to DATA');
                unlike($text, qr/\Q$home\E/, 'and no more of its path');
            }
        }
        is_answer(get(@q, @range), $oracle->answer(@q, @range), "the ${day}th, by default") if $day == 3;
    }
    my @week = (start => '2025-03-01', end => '2025-03-08');
    ids('skip leaves days out', [ 0, -1 ], @q, start => '2025-03-02', end => '2025-03-04', missing => 'skip');
    my $parsed = parse_raw(get(@q, @week, missing => 'skip')->{body});
    is_deeply($parsed->{json}{skipped_days}, [qw(2025-03-02 2025-03-03 2025-03-04 2025-03-06)], 'and lists them');
    is_deeply([ unpack_column('u64', $parsed->{data}{id}) ], [ 1 .. 10, 41 .. 50 ], 'for all columns');
    is($parsed->{json}{rows_in_range}, 20, 'rows_in_range is what is left');
    $parsed = parse_raw(get(@q, @week, missing => 'prefix')->{body});
    is_deeply($parsed->{json}{skipped_days}, [], 'prefix lists none');
    is_deeply([ unpack_column('u64', $parsed->{data}{id}) ], [ 1 .. 10, 21 .. 27, 31 .. 40, 41 .. 50 ], 'and serves what all have');
    right('a column that is whole', symbol => 'GAPS', type => 'MD', columns => 'id', @week);
    right('a range beside the damage', @q, start => '2025-03-01', end => '2025-03-01T23:59:59Z');
    # The short day has all of its rows in the first ten seconds.
    right('a damaged day without rows in the range is no error', @q, start => '2025-03-03T00:00:10Z', end => '2025-03-03');
    right('prefix, the part that is there', @q, start => '2025-03-03T00:00:02Z', end => '2025-03-03T00:00:04Z', missing => 'prefix');
    right('prefix, the part that is not', @q, start => '2025-03-03T00:00:08Z', end => '2025-03-03T00:00:09Z', missing => 'prefix');
    right('skip and limit', @q, @week, missing => 'skip', limit => 12);
    right('skip and tail', @q, @week, missing => 'skip', tail => 12);
    right('prefix and stride', @q, @week, missing => 'prefix', max_points => 10);
    is(get(@q, @week, limit => 1)->{status}, 500, 'a limit does not hide damage in the range');
    for my $missing (qw(skip prefix)) {
        my $other = Tickd->start(data => $data, workers => 1, options => ["missing=$missing"]);
        is_answer($other->get(url('/api/data', @q, @week)), $oracle->answer(@q, @week, missing => $missing), "-o missing=$missing");
        is($other->get(url('/api/data', @q, @week, missing => 'error'))->{status}, 500, "-o missing=$missing: the query's own word counts");
        $other->stop_ok("the server with missing=$missing");
    }

    # nanos, where the bounds need it, counts like a column.
    write_day($data, 'coinbase/NANO/MD', '2025-03-01', { time => \@ten, id => [ 1 .. 10 ], nanos => [ (500_000_000) x 10 ] });
    write_day($data, 'coinbase/NANO/MD', '2025-03-02', { time => [ map { $_ + 86400 } @ten ], id => [ 11 .. 20 ] });
    my @n = (symbol => 'NANO', type => 'MD', columns => 'id');
    ids('whole seconds need no nanos', [ 1, 20 ], @n, start => '2025-03-01', end => '2025-03-02');
    ids('decimals where it is', [ 3, 4 ], @n, start => '2025-03-01T00:00:01.6Z', end => '2025-03-01T00:00:03.5Z');
    is(get(@n, start => '2025-03-02T00:00:01.6Z', end => '2025-03-02T00:00:03.5Z')->{status}, 500, 'decimals where it is missing');
    is(parse_raw(get(@n, start => '2025-03-02T00:00:01.6Z', end => '2025-03-02T00:00:03.5Z', missing => 'skip')->{body})->{json}{skipped_days}[0], '2025-03-02', 'skipped');
};

subtest 'a live day grows' => sub {
    my $today = iso_of(int time / 86400);
    my $from = midnight($today);
    my $series = 'coinbase/GROW/MD';
    my @q = (symbol => 'GROW', type => 'MD', columns => 'time,id,price', start => 0, end => 4294967295);
    write_day($data, $series, $today, { time => [ $from, $from + 1 ], id => [ 1, 2 ], price => [ 1, 2 ] }, mtime => 'now');
    ids('two rows', [ 1, 2 ], @q);
    append_day($data, $series, $today, { time => [ $from + 2 ] }, mtime => 'now');
    ids('time has a third: two still', [ 1, 2 ], @q);
    append_day($data, $series, $today, { id => [ 3, 4 ] }, mtime => 'now');
    ids('id has it: two still', [ 1, 2 ], @q);
    append_day($data, $series, $today, { price => [3] }, mtime => 'now');
    ids('price has it: three', [ 1, 3 ], @q);
    append_day($data, $series, $today, { time => \substr(pack('V', $from + 3), 0, 3) }, mtime => 'now');
    append_day($data, $series, $today, { price => [4] }, mtime => 'now');
    ids('a partial record is no row', [ 1, 3 ], @q);
    append_day($data, $series, $today, { time => \substr(pack('V', $from + 3), 3) }, mtime => 'now');
    ids('its last byte makes it one', [ 1, 4 ], @q);
    for my $policy (qw(error skip prefix)) {
        append_day($data, $series, $today, { id => [9] }, mtime => 'now');
        ids("missing=$policy does not matter", [ 1, 4 ], @q, missing => $policy);
    }
    right('a column fewer', symbol => 'GROW', type => 'MD', columns => 'id', start => 0, end => 4294967295);

    # A column that appears; another day has it, so that it is known.
    write_day($data, $series, '2025-04-01', { time => [ midnight('2025-04-01') ], id => [0], price => [0], volume => [0] });
    my @v = (symbol => 'GROW', type => 'MD', columns => 'id,volume', start => $today, end => $today);
    my $none = right('a column that is not there yet has no rows', @v);
    is($none->{status}, 200, 'which is no error');
    write_day($data, $series, $today, { volume => [ 1, 2, 3 ] }, mtime => 'now');
    ids('it appears', [ 1, 3 ], @v);

    # Many steps, always the newest.
    my ($wrong, $n) = ('', 4);
    for my $step (1 .. 100) {
        append_day($data, $series, $today, { volume => [ $step, $step ] }, mtime => 'now') if $step % 3;
        append_day($data, $series, $today, { time => [ $from + 3 + $step ] }, mtime => 'now');
        my @query = (symbol => 'GROW', type => 'MD', columns => 'time,volume', start => $step % 2 ? 0 : $from + $step, end => 4294967295);
        $wrong = Tickd::wrong_answer(get(@query), $oracle->answer(@query)) and last;
    }
    is($wrong, '', 'a hundred steps');

    # A day that changed lately is live, whatever its date; when it has settled, it is closed.
    write_day($data, 'coinbase/FRESH/MD', '2025-04-01', { time => [ map { midnight('2025-04-01') + $_ } 0 .. 9 ], id => [ 1 .. 7 ] }, mtime => 'now');
    my @f = (symbol => 'FRESH', type => 'MD', columns => 'id', start => '2025-04-01', end => '2025-04-01');
    ids('changed lately: live', [ 1, 7 ], @f);
    utime OLD, OLD, map { "$data/coinbase/FRESH/MD/" . file_of($_, day_of('2025-04-01')) } qw(time id);
    is_error(get(@f), 500, undef, 'changed long ago: damage');
    my $short = Tickd->start(data => $data, workers => 1, options => ['live_window=0']);
    write_day($data, 'coinbase/FRESH/MD', '2025-04-01', { id => [ 1 .. 8 ] }, mtime => time - 5);
    is($short->get(url('/api/data', @f))->{status}, 500, '-o live_window=0: five seconds are long ago');
    $short->stop_ok('the server without a window');
};

subtest 'days come, change and go' => sub {
    my $series = 'coinbase/TURN/MD';
    my @q = (symbol => 'TURN', type => 'MD', columns => 'time,id', start => '2025-05-01', end => '2025-05-31');
    my $t = midnight('2025-05-10');
    my $dir = "$data/$series";
    my $replace = sub {
        my ($iso, $columns) = @_;
        # As a writer does it: time goes first, and comes last.
        my $day = day_of($iso);
        unlink "$dir/" . file_of('time', $day);
        my $aside = scratch();
        write_day($aside, $series, $iso, $columns);
        make_path($dir);
        for my $column (sort { ($a eq 'time') <=> ($b eq 'time') } keys %$columns) {
            my $name = file_of($column, $day);
            my $bytes = read_file("$aside/$series/$name");
            write_file("$dir/.$name.tmp", $bytes, OLD);
            rename "$dir/.$name.tmp", "$dir/$name" or die $!;
        }
    };
    $replace->('2025-05-10', { time => [ $t .. $t + 9 ], id => [ 1 .. 10 ] });
    ids('a day', [ 1, 10 ], @q);
    $replace->('2025-05-10', { time => [ $t .. $t + 9 ], id => [ 101 .. 110 ] });
    ids('replaced by one of the same size and time stamp', [ 101, 110 ], @q);
    $replace->('2025-05-10', { time => [ $t .. $t + 19 ], id => [ 1 .. 20 ] });
    ids('replaced by a longer one', [ 1, 20 ], @q);
    $replace->('2025-05-10', { time => [ $t .. $t + 4 ], id => [ 1 .. 5 ] });
    ids('replaced by a shorter one', [ 1, 5 ], @q);
    $replace->('2025-05-12', { time => [ map { $t + 2 * 86400 + $_ } 0 .. 4 ], id => [ 6 .. 10 ] });
    ids('another day comes', [ 1, 10 ], @q);
    $replace->('2025-05-09', { time => [ map { $t - 86400 + $_ } 0 .. 4 ], id => [ -4 .. 0 ] });
    right('one before it', @q);
    unlink "$dir/" . file_of('time', day_of('2025-05-10'));
    right('a time file goes: the day is gone', @q);
    remove_tree($dir);
    is_error(get(@q), 404, qr/\A(?:exchange|symbol|type)\z/, 'the series goes');
    $replace->('2025-05-10', { time => [ $t .. $t + 9 ], id => [ 1 .. 10 ] });
    ids('and comes back', [ 1, 10 ], @q);
    my $wrong = '';
    for my $round (1 .. 50) {
        my $n = 1 + $round * 37 % 50;
        $replace->('2025-05-10', { time => [ $t .. $t + $n - 1 ], id => [ $round .. $round + $n - 1 ] });
        $wrong = Tickd::wrong_answer(get(@q), $oracle->answer(@q)) and last;
    }
    is($wrong, '', 'fifty times replaced');
};

subtest 'what is no data' => sub {
    my $dir = "$data/coinbase";
    my @q = (type => 'MD', columns => 'time,id', start => '2025-01-01', end => '2025-01-31');
    my $outside = "$home/outside";
    sample($outside);
    my $secret = "$outside/coinbase/BTC-USD/MD";
    symlink "$outside/coinbase/BTC-USD", "$dir/LINK1" or die $!;
    make_path("$dir/LINK2", "$dir/LINK3/MD", "$dir/LINK4/MD", "$dir/FIFO/MD", "$dir/DIR/MD", "$dir/LOOP/MD", "$dir/DANGLE/MD", "$dir/DEV/MD");
    symlink $secret, "$dir/LINK2/MD" or die $!;
    my $day = day_of('2025-01-01');
    symlink "$secret/" . file_of($_, $day), "$dir/LINK3/MD/" . file_of($_, $day) or die $! for qw(time id);
    symlink '../../../../outside/coinbase/BTC-USD/MD/' . file_of($_, $day), "$dir/LINK4/MD/" . file_of($_, $day) or die $! for qw(time id);
    symlink "$outside/coinbase", "$data/LINK5" or die $!;
    for my $i (1 .. 4) {
        my $r = get(symbol => "LINK$i", @q);
        ok(!$r->{error} && ($r->{status} =~ /\A(?:404|500|400)\z/ || ($r->{status} == 200 && $r->{body} =~ /"rows_in_range":0,/)), "LINK$i: a symlink out of DATA gives nothing ($r->{status})")
            or diag show($r->{body});
        unlike($r->{body}, qr/outside/, "LINK$i: and does not tell where it leads");
    }
    my $r = get(exchange => 'LINK5', symbol => 'BTC-USD', @q);
    like($r->{status}, qr/\A(?:404|500|400)\z/, "LINK5: an exchange that leads out ($r->{status})");

    symlink 'nowhere', "$dir/DANGLE/MD/" . file_of($_, $day) or die $! for qw(time id);
    symlink file_of($_, $day), "$dir/LOOP/MD/" . file_of($_, $day) or die $! for qw(time id);
    symlink '/dev/zero', "$dir/DEV/MD/" . file_of($_, $day) or die $! for qw(time id);
    POSIX::mkfifo("$dir/FIFO/MD/" . file_of($_, $day), 0600) or die $! for qw(time id);
    make_path(map { "$dir/DIR/MD/" . file_of($_, $day) } qw(time id));
    for my $symbol (qw(DANGLE LOOP DEV FIFO DIR)) {
        $r = get(symbol => $symbol, @q);
        ok(!$r->{error} && ($r->{status} =~ /\A(?:404|500)\z/ || ($r->{status} == 200 && $r->{body} =~ /"rows_in_range":0,/)), "$symbol for day files: $r->{status}")
            or diag $r->{error} // show($r->{body});
    }
    # The same for a column of a day that is otherwise right.
    for my $symbol (qw(FIFO2 DIR2 DEV2 LINK6)) {
        write_day($data, "coinbase/$symbol/MD", '2025-01-01', { time => [ $first .. $first + 9 ] });
        write_day($data, "coinbase/$symbol/MD", '2025-01-02', { time => [ map { $_ + 86400 } $first .. $first + 9 ], id => [ 1 .. 10 ] });
        my $path = "$dir/$symbol/MD/" . file_of('id', $day);
        $symbol eq 'FIFO2' ? POSIX::mkfifo($path, 0600) : $symbol eq 'DIR2' ? make_path($path)
            : symlink $symbol eq 'DEV2' ? '/dev/zero' : "$secret/" . file_of('id', $day), $path;
        $r = get(symbol => $symbol, @q);
        is($r->{status}, 500, "$symbol for a column: 500") or diag $r->{error} // show($r->{body});
        like($r->{body}, qr{coinbase/$symbol/MD/id\.01\.01\.25\.bin}, "$symbol: which names it");
        unlike($r->{body}, qr/\Q$home\E|outside/, "$symbol: and no path outside");
        right("$symbol: the other day is served", symbol => $symbol, @q, start => '2025-01-02');
    }
    write_file("$data/coinbase/AFILE", 'x');
    like(get(symbol => 'AFILE', @q)->{status}, qr/\A(?:404|500)\z/, 'a file where a directory should be');
    right('all the others are served as ever', @all);
};

$http = undef;
$server->stop_ok;
done_testing;
