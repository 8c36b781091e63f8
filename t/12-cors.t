#!/usr/bin/perl
# What every answer carries: CORS, X-Request-Id, Cache-Control, Date; and that a browser may read it.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_file write_day midnight day_of iso_of);
use Tickd::Http qw(url);

my $data = scratch();
sample($data);
my $today = iso_of(int time / 86400);
write_day($data, 'coinbase/LIVE/MD', $today, { time => [ map { midnight($today) + $_ } 0 .. 9 ], price => [ 0 .. 9 ] }, mtime => 'now');
write_day($data, 'coinbase/HURT/MD', '2025-01-01', { time => [ map { midnight('2025-01-01') + $_ } 0 .. 9 ], price => [ 0 .. 8 ] });
my $server = Tickd->start(data => $data, workers => 1, options => ['header_timeout=300ms']);
my $week = '/api/data?symbol=BTC-USD&type=MD&columns=time&start=2025-01-01&end=2025-01-07';

my @expose = qw(Accept-Ranges Content-Length Content-Range ETag Retry-After WWW-Authenticate X-Request-Id);

sub list {
    my ($text) = @_;
    return join ' ', sort { lc $a cmp lc $b } split /\s*,\s*/, $text // '';
}

# [name, bytes to send, expected status]
my @answers = (
    [ 'a 200', "GET $week HTTP/1.1\r\nHost: a\r\n\r\n", 200 ],
    [ 'a 200 of HTTP/1.0', "GET $week HTTP/1.0\r\n\r\n", 200 ],
    [ 'a live 200', "GET /api/data?symbol=LIVE&type=MD&columns=time&start=$today&end=$today HTTP/1.1\r\nHost: a\r\n\r\n", 200 ],
    [ 'a HEAD', "HEAD $week HTTP/1.1\r\nHost: a\r\n\r\n", 200 ],
    [ '/health', "GET /health HTTP/1.1\r\nHost: a\r\n\r\n", 200 ],
    [ 'a preflight', "OPTIONS $week HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nAccess-Control-Request-Method: GET\r\n\r\n", 204 ],
    [ 'an unknown path', "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404 ],
    [ 'an unknown series', "GET /api/data?symbol=NONE&type=MD&columns=time&start=0&end=9 HTTP/1.1\r\nHost: a\r\n\r\n", 404 ],
    [ 'a bad parameter', "GET /api/data?limit=x HTTP/1.1\r\nHost: a\r\n\r\n", 400 ],
    [ 'damaged data', "GET /api/data?symbol=HURT&type=MD&columns=time,price&start=0&end=2025-12-31 HTTP/1.1\r\nHost: a\r\n\r\n", 500 ],
    [ 'a method that is refused', "DELETE $week HTTP/1.1\r\nHost: a\r\n\r\n", 405 ],
    [ 'a method that is unknown', "BREW $week HTTP/1.1\r\nHost: a\r\n\r\n", 501 ],
    [ 'no Host', "GET /health HTTP/1.1\r\n\r\n", 400 ],
    [ 'a malformed head', "GET /health HTTP/1.1\r\nHost : a\r\n\r\n", 400 ],
    [ 'a malformed request line', "GET\r\n\r\n", 400 ],
    [ 'a malformed chunk', "GET /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400 ],
    [ 'an unknown version', "GET /health HTTP/1.3\r\nHost: a\r\n\r\n", 505 ],
    [ 'a body over the limit', "GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413 ],
    [ 'a target over the limit', "GET /" . 'x' x 9000 . " HTTP/1.1\r\nHost: a\r\n\r\n", 414 ],
    [ 'a head over the limit', "GET /health HTTP/1.1\r\nHost: a\r\nX: " . 'x' x 40_000 . "\r\n\r\n", 431 ],
    [ 'a head that does not end', "GET /health HTTP/1.1\r\nHost: a\r\n", 408 ],
);
for (@answers) {
    my ($name, $bytes, $status) = @$_;
    my $http = $server->connect;
    $http->send($bytes);
    my $r = $http->response($bytes =~ /\AHEAD/ ? 'HEAD' : 'GET');
    is($r->{error}, undef, "$name: an answer");
    is($r->{status}, $status, "$name: $status");
    my %h = %{ $r->{headers} };
    is($h{'access-control-allow-origin'}, '*', "$name: Access-Control-Allow-Origin");
    is(list($h{'access-control-expose-headers'}), "@expose", "$name: Access-Control-Expose-Headers");
    is($h{'access-control-allow-credentials'}, undef, "$name: no credentials");
    like($h{'x-request-id'} // '', qr/\A[!-~]{8,}\z/, "$name: X-Request-Id");
    my $cache = $h{'cache-control'} // '';
    if ($status >= 400) {
        is($cache, 'no-store', "$name: Cache-Control");
    } elsif ($name =~ /live|health/) {
        like($cache, qr/\bno-(?:cache|store)\b/, "$name: Cache-Control");
    } elsif ($status == 200) {
        # The days of January 2025 are closed, but the 3rd is absent.
        like($cache, qr/\bno-cache\b/, "$name: Cache-Control");
    }
    like($h{date} // '', qr/\A(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\z/, "$name: Date");
    is($h{'content-type'}, 'application/octet-stream', "$name: Content-Type") if $status == 200 && $name !~ /health/;
    like($h{'content-type'}, qr{\Aapplication/json(?:;|\z)}, "$name: Content-Type") if $status >= 400 || $name =~ /health/;
}

subtest 'preflight' => sub {
    my $r = $server->connect->request('OPTIONS', '/api/data', Origin => 'https://chart.example', 'Access-Control-Request-Method' => 'GET',
        'Access-Control-Request-Headers' => 'range,x-request-id');
    is(list($r->{headers}{'access-control-allow-methods'}), 'GET HEAD OPTIONS', 'Allow-Methods');
    is(list(lc($r->{headers}{'access-control-allow-headers'} // '')), list(lc 'Authorization, Content-Type, Range, If-Range, If-Match, '
                . 'If-None-Match, If-Modified-Since, If-Unmodified-Since, Last-Event-ID, X-Request-Id'), 'Allow-Headers');
    like($r->{headers}{'access-control-max-age'} // '', qr/\A[1-9]\d*\z/, 'Max-Age');
    is($r->{headers}{'access-control-allow-origin'}, '*', 'Allow-Origin');
};

subtest 'origins from a list' => sub {
    my @allowed = ('https://a.example', 'http://b.example:8080');
    my $strict = Tickd->start(data => $data, workers => 1, options => [ map { "allow_origin=$_" } @allowed ]);
    my $http = $strict->connect;
    for my $target ($week, '/nowhere', '/health') {
        for my $origin (@allowed) {
            my $r = $http->get($target, Origin => $origin);
            is($r->{headers}{'access-control-allow-origin'}, $origin, "$target: $origin is echoed");
            like($r->{headers}{vary} // '', qr/\bOrigin\b/i, "$target: with Vary: Origin");
        }
        for my $origin ('https://c.example', 'https://a.example.evil', 'https://a.exampl', 'null', 'HTTP://b.example') {
            my $r = $http->get($target, Origin => $origin);
            isnt($r->{headers}{'access-control-allow-origin'} // '', $origin, "$target: $origin is not");
            isnt($r->{headers}{'access-control-allow-origin'} // '', '*', "$target: nor is there a star");
            like($r->{headers}{vary} // '', qr/\bOrigin\b/i, "$target: Vary: Origin all the same");
        }
    }
    my $r = $http->request('OPTIONS', $week, Origin => $allowed[1], 'Access-Control-Request-Method' => 'GET');
    is($r->{headers}{'access-control-allow-origin'}, $allowed[1], 'a preflight');
    $strict->stop_ok('the strict server');
};

subtest 'X-Request-Id' => sub {
    my $http = $server->connect;
    for my $id ('abc', 'f3a1-77', '0123456789abcdef0123456789abcdef', 'A_b.c:d/e+f=') {
        is($http->get('/health', 'X-Request-Id' => $id)->{headers}{'x-request-id'}, $id, "$id comes back");
    }
    is($http->get('/nowhere', 'X-Request-Id' => 'e404')->{headers}{'x-request-id'}, 'e404', 'on an error too');
    is($http->get('/api/data', 'x-request-ID' => 'e400')->{headers}{'x-request-id'}, 'e400', 'whatever its case');
    my %seen;
    $seen{ $http->get('/health')->{headers}{'x-request-id'} // '' }++ for 1 .. 20;
    $seen{ $server->get('/health')->{headers}{'x-request-id'} // '' }++ for 1 .. 20;
    is(scalar keys %seen, 40, 'a new one each time where none came');
    # What cannot be echoed safely is not: too long, or not printable.
    my $long = $http->get('/health', 'X-Request-Id' => 'x' x 20_000);
    is($long->{error}, undef, 'a very long one');
    cmp_ok(length($long->{headers}{'x-request-id'} // ''), '<=', 8192, 'does not come back at full length');
    my $odd = $http->get('/health', 'X-Request-Id' => "a\xffb");
    ok(!$odd->{error} && $odd->{headers}{'x-request-id'} !~ /\xff/, 'nor do 8-bit bytes');
    my $empty = $http->get('/health', 'X-Request-Id' => '');
    like($empty->{headers}{'x-request-id'} // '', qr/\A[!-~]+\z/, 'an empty one is as good as none');
};

subtest 'errors tell what a client sent without harm' => sub {
    my $http = $server->connect;
    for my $value ('"', '\\', "\n", "\x01", '<script>', "\x{e4}", "\xff\xfe", '%00', 'x' x 3000, "\x{1f}\"\\\b", '}{') {
        is_error($http->get(url('/api/data', symbol => $value, type => 'MD', columns => 'time', start => 0, end => 1)), 400, 'symbol',
            'in a value: ' . Tickd::Http::show(substr $value, 0, 20));
        is_error($http->get('/api/data?' . Tickd::Http::encode("x$value") . '=1'), 400, undef, 'in a name: ' . Tickd::Http::show(substr $value, 0, 20));
        is_error($http->get('/' . Tickd::Http::encode($value)), qr/\A40[04]\z/, undef, 'in a path: ' . Tickd::Http::show(substr $value, 0, 20));
    }
};

$server->stop_ok;
done_testing;
