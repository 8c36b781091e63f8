#!/usr/bin/perl
# HTTP/1.1 and 1.0 as RFC 9112 has them: connections, bodies, limits, timeouts; pipelining is in 13-pipeline.t.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample);
use Tickd::Http qw(url show);
use Tickd::Oracle;
use Time::HiRes qw(time);

my $data = scratch();
sample($data);
my $server = Tickd->start(data => $data, workers => 2);
my $oracle = Tickd::Oracle->new(data => $data);

my @week = (symbol => 'BTC-USD', type => 'MD', columns => 'time,price', start => '2025-01-01', end => '2025-01-07');
my $week = url('/api/data', @week);
my $right = $oracle->answer(@week);
is($right->{rows}, 600, 'the oracle has 600 rows');

sub alive { return is($server->get($week)->{status}, 200, 'the server answers on') }

subtest 'one connection, many requests' => sub {
    my $http = $server->connect;
    my $wrong = 0;
    for (1 .. 200) {
        my $r = $http->get($week);
        $wrong++ if !is_answer($r, $right) || $r->{close};
    }
    is($wrong, 0, '200 answers are right and keep the connection');
    my $r = $http->get('/nowhere');
    is_error($r, 404, undef, 'a 404 in between');
    ok(!$r->{close}, 'which keeps the connection');
    is_error($http->get('/api/data?symbol=a'), 400, undef, 'a 400 of a parameter in between');
    is_answer($http->get($week), $right, 'and the next is right');
    $r = $http->get($week, Connection => 'close');
    is_answer($r, $right, 'Connection: close is answered');
    ok($r->{close}, 'with Connection: close');
    ok($http->at_end, 'and the connection ends');
    for my $options ("close\t", "x\t,\tclose ,y", 'keep-alive, close') {
        $http = $server->connect;
        $r = $http->get($week, Connection => $options);
        is_answer($r, $right, 'Connection: ' . show($options));
        ok($r->{close} && $http->at_end, 'ends the connection, too');
    }
};

subtest 'framing' => sub {
    my $http = $server->connect;
    is($http->get($week)->{framing}, 'chunked', 'HTTP/1.1: a 200 of /api/data is chunked');
    my $r = $http->get("$week&framing=length");
    is_answer($r, $right, 'framing=length is right');
    is($r->{framing}, 'length', 'and has a Content-Length');
    is($http->get("$week&framing=chunked")->{framing}, 'chunked', 'framing=chunked is chunked');
    is($http->get('/health')->{framing}, 'length', '/health has a Content-Length');
    is($http->get('/nowhere')->{framing}, 'length', 'an error has a Content-Length');
    my $other = Tickd->start(data => $data, workers => 1, options => ['framing=length']);
    $http = $other->connect;
    is($http->get($week)->{framing}, 'length', '-o framing=length: length by default');
    $r = $http->get("$week&framing=chunked");
    is($r->{framing}, 'chunked', 'and chunked where asked for');
    is_answer($r, $right, 'right');
    $other->stop_ok('the other server');
};

subtest 'empty lines before a request line (RFC 9112 2.2)' => sub {
    my $http = $server->connect;
    $http->send("\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    my $r = $http->response;
    ok(!$r->{error} && ($r->{status} == 200 || $r->{status} == 400), "answered ($r->{status})");
};

subtest 'HTTP/1.0' => sub {
    for my $host ("Host: a\r\n", '') {
        my $http = $server->connect;
        $http->send("GET $week HTTP/1.0\r\n$host\r\n");
        my $r = $http->response;
        is_answer($r, $right, 'answered' . ($host ? '' : ' without Host'));
        is($r->{framing}, 'length', 'with Content-Length');
        ok($http->at_end, 'and closed');
    }
    my $http = $server->connect;
    for (1 .. 3) {
        $http->send("GET $week HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        my $r = $http->response;
        is_answer($r, $right, "keep-alive: answer $_");
        is($r->{framing}, 'length', 'with Content-Length');
        like($r->{headers}{connection} // '', qr/\bkeep-alive\b/i, 'which says keep-alive');
    }
    $http->send("GET $week&framing=chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    my $r = $http->response;
    ok(!$r->{error} && $r->{framing} eq 'length' && $r->{status} =~ /\A(?:200|400)\z/, 'never chunked, asked for or not')
        or diag "  $r->{status} " . ($r->{error} // $r->{framing});
};

subtest 'HEAD' => sub {
    my $http = $server->connect;
    for my $target ($week, "$week&framing=length", '/health', '/nowhere', '/api/data') {
        my $get = $http->get($target);
        my $head = $http->request('HEAD', $target);
        is($head->{error}, undef, "HEAD $target") or next;
        is($head->{status}, $get->{status}, "HEAD $target: the status of its GET");
        is($head->{headers}{'content-length'}, length $get->{body}, "HEAD $target: Content-Length");
        is($head->{headers}{'content-type'}, $get->{headers}{'content-type'}, "HEAD $target: Content-Type");
        ok($http->quiet, "HEAD $target: no body");
    }
    is_answer($http->get($week), $right, 'the next GET on that connection is right');
    # What is wrong with a request changes nothing about its answer having no body.
    my %refused = (
        400 => "HEAD $week HTTP/1.1\r\n\r\n", 413 => "HEAD $week HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n",
        414 => 'HEAD /' . 'x' x 9000, 417 => "\r\nHEAD $week HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n",
        431 => "HEAD $week HTTP/1.1\r\nX: " . 'x' x 40_000, 501 => "HEAD $week HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x, chunked\r\n\r\n",
        505 => "HEAD $week HTTP/3.0\r\n\r\n",
    );
    for my $status (sort keys %refused) {
        my $client = $server->connect;
        $client->send($refused{$status});
        my $r = $client->response('HEAD');
        is($r->{status}, $status, "a HEAD refused with $status") or diag $r->{error};
        ok($r->{close} && $r->{headers}{'content-length'} > 0 && $client->at_end, "$status: without a body");
    }
};

subtest 'OPTIONS' => sub {
    my $http = $server->connect;
    for my $target ('/api/data', $week, '/health', '/nowhere', '*') {
        my $r = $http->request('OPTIONS', $target, Origin => 'https://example.org',
            'Access-Control-Request-Method' => 'GET', 'Access-Control-Request-Headers' => 'range');
        is($r->{error}, undef, "OPTIONS $target");
        is($r->{status}, 204, "OPTIONS $target: 204");
        is($r->{body}, '', "OPTIONS $target: no body");
        is(join(' ', sort split /\s*,\s*/, $r->{headers}{allow} // ''), 'GET HEAD OPTIONS', "OPTIONS $target: Allow");
    }
    is_answer($http->get($week), $right, 'and the connection is kept');
};

subtest 'methods' => sub {
    for my $method (qw(POST PUT DELETE TRACE PATCH)) {
        for my $target ($week, '/health') {
            my $http = $server->connect;
            my $r = $http->request($method, $target, 'Content-Length' => 0);
            is_error($r, 405, undef, "$method $target");
            my @allow = sort split /\s*,\s*/, $r->{headers}{allow} // '';
            is("@allow", 'GET HEAD OPTIONS', "$method $target: Allow");
        }
    }
    for my $method (qw(BREW get Get PROPFIND X SOURCE M-SEARCH LINK), 'A' x 30) {
        my $http = $server->connect;
        is_error($http->request($method, $week), 501, undef, "$method is not implemented");
    }
};

subtest 'bodies are read and dropped' => sub {
    my $http = $server->connect;
    for my $length (0, 1, 100, 65536) {
        $http->send("GET $week HTTP/1.1\r\nHost: a\r\nContent-Length: $length\r\n\r\n" . 'x' x $length);
        is_answer($http->response, $right, "a GET with $length bytes of body");
    }
    my $chunked = "GET $week HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for my $body ("0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "a;name=value\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n",
        "5\r\nhello\r\n0\r\nTrailer: yes\r\n\r\n", "A\r\nGET / HTTP\r\n0\r\n\r\n", 'fff0' . "\r\n" . 'x' x 65520 . "\r\n0\r\n\r\n")
    {
        $http->send("$chunked$body");
        is_answer($http->response, $right, 'a GET with a chunked body: ' . show(substr $body, 0, 30));
    }
    $http->send("POST $week HTTP/1.1\r\nHost: a\r\nContent-Length: 25\r\n\r\nGET /health HTTP/1.1\r\n\r\n\0");
    is_error($http->response, 405, undef, 'a POST whose body looks like a request');
    # Whether the connection goes on after a refused body is the server's choice; whether it answers the body is not.
    if (!$http->{eof} && $http->quiet) {
        my $r = $http->get($week);
        ok($r->{error} || is_answer($r, $right), 'its body is not answered');
    }
    is($http->leftover, '', 'nothing else comes');
};

subtest 'bodies over the limit' => sub {
    for my $head ("Content-Length: 65537\r\n", "Content-Length: 99999999999999\r\n") {
        my $http = $server->connect;
        $http->send("GET $week HTTP/1.1\r\nHost: a\r\n$head\r\n");
        my $r = $http->response;
        is_error($r, 413, undef, show($head));
        ok($r->{close}, 'it says that it closes');
    }
    my $http = $server->connect;
    $http->send("GET $week HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" . "2000\r\n" . 'x' x 8192 . "\r\n");
    $http->send("2000\r\n" . 'y' x 8192 . "\r\n") for 1 .. 8;
    is_error($http->response, 413, undef, 'a chunked body that grows over it');
    my $small = Tickd->start(data => $data, workers => 1, options => ['max_body=10']);
    $http = $small->connect;
    $http->send("GET $week HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789");
    is_answer($http->response, $right, '-o max_body=10: ten bytes are let through');
    $http->send("GET $week HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n01234567890");
    is_error($http->response, 413, undef, '-o max_body=10: eleven are not');
    $small->stop_ok('the small server');
    alive();
};

subtest 'Expect' => sub {
    my $http = $server->connect;
    $http->send("GET $week HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    ok($http->_need(12, time + deadline(5)), 'the server does not wait for the body in silence');
    if ($http->leftover =~ m{\AHTTP/1\.1 100 }) {
        pass('100 Continue');
        $http->send('hello');
        my $r = $http->response;
        is_answer($r, $right, 'then the answer');
        is_deeply($r->{interim}, [100], 'after one 100');
        is_answer($http->get($week), $right, 'and the connection is in step');
    } else {
        # A final answer at once is as good; then the body must not be taken for a request.
        my $r = $http->response;
        ok($r->{status} == 200 || $r->{status} >= 400, 'or a final answer at once');
    }
    $http = $server->connect;
    $http->send("GET $week HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
    my $r = $http->response;
    is_answer($r, $right, 'a body that came along already');
    is_answer($http->get($week, Expect => $_), $right, 'Expect: ' . show($_)) for '', "\t", '100-continue ,';
    $http = $server->connect;
    $http->send("GET $week HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n\r\n");
    is_error($http->response, 413, undef, 'a body that is too long is refused without being asked for');
    $http = $server->connect;
    $http->send("GET $week HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
    $r = $http->response;
    is_deeply($r->{interim}, [], 'no 100 for HTTP/1.0');
    is_answer($r, $right, 'but the answer');
    # An expectation that is not known: RFC 9110 10.1.1 allows 417; ignoring it is fine too.
    $http = $server->connect;
    $r = $http->get($week, Expect => 'the-unexpected');
    like($r->{status}, qr/\A(?:200|417|400)\z/, "an unknown expectation ($r->{status})");
};

subtest 'targets' => sub {
    my $http = $server->connect;
    my ($port) = $server->port;
    for my $prefix ("http://127.0.0.1:$port", 'http://example.org', 'HTTP://Example.org:80', 'https://example.org') {
        is_answer($http->get("$prefix$week"), $right, "absolute form $prefix");
    }
    is_answer($http->get($week, Host => ''), $right, 'an empty Host (RFC 9110 7.2)');
    is_answer($http->get($week, Host => '[::1]:80'), $right, 'an IPv6 Host');
    is_error($http->get($_), 404, undef, "unknown path $_")
        for qw(/api /api/ /api/data/ /api/datax /API/DATA //api/data /api//data /health/ /metrics /api/data/x /.. /etc/passwd /%2e%2e/etc/passwd);
    is_answer($http->get("$week&"), $right, 'an ampersand at the end');
    is_answer($http->get($week =~ s/\?/?&/r), $right, 'and at the start');
};

subtest 'Upgrade is ignored' => sub {
    my $http = $server->connect;
    for my $to ('h2c', 'websocket', 'TLS/1.0, HTTP/1.1', 'HTTP/2.0') {
        my $r = $http->get($week, Connection => 'Upgrade, HTTP2-Settings', Upgrade => $to, 'HTTP2-Settings' => 'AAMAAABkAAQAAP__');
        is_answer($r, $right, "Upgrade: $to");
        ok(!$r->{close}, 'and the connection is kept');
    }
    $http->send("GET $week HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" x 3);
    is_answer($http->response, $right, "pipelined with Upgrade: $_") for 1 .. 3;
    $http->send("GET $week HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello"
            . "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    is_answer($http->response, $right, 'with a body');
    is($http->response->{status}, 200, 'and the request after it');
    ok($http->quiet, 'and no more');
};

subtest 'limits of the head' => sub {
    my $http = $server->connect;
    my $room = 8192 - length "$week&_=";
    is_answer($http->get("$week&_=" . 'x' x ($room - 1)), $right, 'a target of just under 8 KiB');
    my @cases = (
        [ 'a target over 8 KiB', 414, "GET $week&_=" . ('x' x ($room + 2)) . " HTTP/1.1\r\nHost: a\r\n\r\n" ],
        [ 'a target of 100 KB', 414, "GET /" . ('x' x 100_000) . " HTTP/1.1\r\nHost: a\r\n\r\n" ],
        [ 'a target without end', 414, "GET /" . ('x' x 40_000) ],
        [ 'headers over 32 KiB', 431, "GET $week HTTP/1.1\r\nHost: a\r\n" . join('', map { "X-$_: " . 'x' x 4000 . "\r\n" } 1 .. 9) . "\r\n" ],
        [ 'one header over 32 KiB', 431, "GET $week HTTP/1.1\r\nHost: a\r\nCookie: " . ('x' x 33_000) . "\r\n\r\n" ],
        [ 'a header without end', 431, "GET $week HTTP/1.1\r\nHost: a\r\nCookie: " . ('x' x 50_000) ],
        [ 'a header name without end', 431, "GET $week HTTP/1.1\r\nHost: a\r\n" . ('x' x 50_000) ],
        [ '101 header fields', 431, "GET $week HTTP/1.1\r\nHost: a\r\n" . join('', map { "X-$_: a\r\n" } 1 .. 100) . "\r\n" ],
    );
    for (@cases) {
        my ($name, $status, $bytes) = @$_;
        my $client = $server->connect;
        $client->send($bytes);
        my $r = $client->response;
        is_error($r, $status, undef, $name);
        ok($r->{close}, "$name: it says that it closes");
        $client->finish_sending;
        ok($client->at_end, "$name: and does");
    }
    $http = $server->connect;
    is_answer($http->get($week, map { ("X-$_" => 'a') } 1 .. 99), $right, '100 header fields are let through');
    is_answer($http->get($week, map { ("X-$_" => 'x' x 3000) } 1 .. 10), $right, '30 KB of headers are let through');
    my $trailers = "GET $week HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" . ("T: " . 'x' x 1000 . "\r\n") x 100;
    my $client = $server->connect;
    $client->send($trailers);
    my $r = $client->response;
    like($r->{status}, qr/\A4\d\d\z/, "trailers without end are refused ($r->{status})") or diag $r->{error};
    alive();
};

subtest 'timeouts' => sub {
    my $quick = Tickd->start(data => $data, workers => 1,
        options => [ 'header_timeout=300ms', 'keepalive_timeout=300ms' ]);
    my @half = (
        [ 'half a request line', "GET /heal" ],
        [ 'half a head', "GET /health HTTP/1.1\r\nHost: a\r\nX-" ],
        [ 'half a body', "GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf" ],
        [ 'half a head of a HEAD', "HEAD /health HTTP/1.1\r\nHost: a\r\n", 'HEAD' ],
        [ 'half a chunk', "GET /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab" ],
    );
    my @clients = map { my $client = $quick->connect; $client->send($_->[1]); $client } @half;
    for my $i (0 .. $#half) {
        my $r = $clients[$i]->response($half[$i][2] // 'GET');
        $half[$i][2] ? is($r->{status}, 408, "$half[$i][0]: 408") : is_error($r, 408, undef, "$half[$i][0]: 408");
        ok($r->{close}, "$half[$i][0]: it says that it closes");
        ok($clients[$i]->at_end, "$half[$i][0]: and does");
    }
    my $idle = $quick->connect;
    is($idle->get('/health')->{status}, 200, 'a request');
    ok($idle->at_end, 'then nothing: closed without a word');
    my $mute = $quick->connect;
    my $said = $mute->drain;
    ok($mute->{eof}, 'no request at all: closed');
    ok($said eq '' || $said =~ m{\AHTTP/1\.1 408 }, 'without a word, or with a 408') or diag show($said);
    # A trickle does not extend the time for the head.
    my $slow = $quick->connect;
    $slow->send('GET /');
    my $answered = wait_for(10, sub { !$slow->send('x') || !$slow->quiet });
    ok($answered, 'a byte now and then does not keep a head open');
    like($slow->drain(deadline(5)), qr{\AHTTP/1\.1 4\d\d |\A\z}, 'it ends with an error');
    $quick->stop_ok('the quick server');
};

subtest 'lingering close: an error is read by a client that still sends' => sub {
    my $wrong = 0;
    for my $round (1 .. 5) {
        my $http = $server->connect;
        # More than socket buffers hold, so that a close at once would be a reset.
        my $sent = $http->send("GET $week HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n" . 'x' x 4_000_000);
        my $r = $http->response;
        $wrong++ if $r->{error} || $r->{status} != 413;
        diag $r->{error} if $r->{error};
    }
    is($wrong, 0, 'five times: the 413 is read');
    for (1 .. 5) {
        my $http = $server->connect;
        $http->send("GET / HTTP/1.1\r\nHost : a\r\n\r\n" . 'x' x 200_000);
        my $r = $http->response;
        is_error($r, 400, undef, 'a malformed head before much else is read, too');
    }
    alive();
};

subtest 'clients that go away' => sub {
    for (1 .. 50) {
        my $http = $server->connect;
        $http->send("GET $week HTTP/1.1\r\nHost: a\r\n\r\n" x ($_ % 5));
        $http->send('GET /hal') if $_ % 2;
        $_ % 3 ? $http->reset : $http->close;
    }
    alive();
};

$server->stop_ok;
done_testing;
