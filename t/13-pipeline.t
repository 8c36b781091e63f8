#!/usr/bin/perl
# Pipelining (RFC 9112 9.3.2): however the bytes of many requests come, each is answered as it is
# when it is asked alone, and in order; also to a client that has closed its half.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(shuffle);
use Test::More;
use Tickd;
use Tickd::Data qw(sample big_day);
use Tickd::Http qw(url show);
use Tickd::Oracle;
use Tickd::Random qw(seed pick);

my $seed = seed();
note "TICKD_SEED=$seed";

my $data = scratch();
sample($data);
big_day($data, 'coinbase/BIG/MD', '2025-01-01', 1, 'price');
my $server = Tickd->start(data => $data, workers => 2);
my $oracle = Tickd::Oracle->new(data => $data);

my @week = (symbol => 'BTC-USD', type => 'MD', columns => 'id,time,price', start => '2025-01-01', end => '2025-01-07');
my @big = (symbol => 'BIG', type => 'MD', columns => 'time,price', start => '2025-01-01', end => '2025-01-01');
my $week = url('/api/data', @week);
my $big = url('/api/data', @big, limit => 20_000);    # 160 KB
my $tag = $server->get($week)->{headers}{etag};
my $modified = $server->get($week)->{headers}{'last-modified'};

# [its status, often, request line, lines of the head, body]
my $inside = "GET /health HTTP/1.1\r\nHost: inside\r\nX-Request-Id: inside\r\n\r\n";
my @kinds = (
    [ 200, 8, "GET $week HTTP/1.1" ],
    (map { [ 200, 2, "GET $week&limit=$_ HTTP/1.1" ] } 1, 17, 599),
    [ 200, 2, "GET $week&framing=length HTTP/1.1" ],
    [ 200, 2, "GET $week HTTP/1.0", 'Connection: keep-alive' ],
    [ 200, 1, "GET http://example.org$week HTTP/1.1", "Connection:\tkeep-alive\t" ],
    [ 200, 1, "GET $big HTTP/1.1" ],
    [ 200, 1, "GET $big&framing=length HTTP/1.1" ],
    [ 206, 1, "GET $big HTTP/1.1", 'Range: bytes=70000-149999' ],
    [ 200, 3, "HEAD $week HTTP/1.1" ],
    [ 200, 1, "HEAD $big HTTP/1.1" ],
    [ 404, 1, 'HEAD /nowhere HTTP/1.1' ],
    [ 200, 3, 'GET /health HTTP/1.1' ],
    [ 200, 1, 'GET /api/symbols HTTP/1.1' ],
    [ 204, 2, "OPTIONS $week HTTP/1.1" ],
    [ 204, 1, 'OPTIONS * HTTP/1.1' ],
    [ 404, 2, 'GET /nowhere HTTP/1.1' ],
    [ 404, 2, 'GET ' . ($week =~ s/BTC-USD/NONE/r) . ' HTTP/1.1' ],
    [ 400, 2, "GET $week&limit=0 HTTP/1.1" ],
    [ 206, 3, "GET $week HTTP/1.1", 'Range: bytes=10-99' ],
    [ 206, 1, "GET $week HTTP/1.1", 'Range: bytes=-1' ],
    [ 416, 1, "GET $week HTTP/1.1", 'Range: bytes=999999-' ],
    [ 304, 3, "GET $week HTTP/1.1", "If-None-Match: $tag" ],
    [ 304, 1, "GET $week HTTP/1.1", "If-Modified-Since: $modified" ],
    [ 304, 1, "HEAD $week HTTP/1.1", "If-None-Match: $tag" ],
    [ 412, 1, "GET $week HTTP/1.1", 'If-Match: "other"' ],
    [ 405, 2, 'POST /api/data HTTP/1.1', 'Content-Length: ' . length $inside, $inside ],
    [ 405, 1, "PUT $week HTTP/1.1", 'Transfer-Encoding: chunked', sprintf "%x;a=b\r\n%s\r\n0\r\nX-T: y\r\n\r\n", length $inside, $inside ],
    [ 200, 1, "GET $week HTTP/1.1", "Content-Length: 1000\r\nConnection: Upgrade\r\nUpgrade: h2c", 'x' x 1000 ],
    [ 200, 1, "GET $week HTTP/1.1", 'Transfer-Encoding: chunked', "1\r\nx\r\n" x 100 . "00\r\n\r\n" ],
    [ 200, 1, "\r\nGET $week HTTP/1.1", 'X-Long: ' . 'y' x 5000 ],
);
my @often = map { ($_) x $kinds[$_][1] } 0 .. $#kinds;

sub bytes_of {
    my ($kind, $id) = @_;
    my (undef, undef, $line, $fields, $body) = @{ $kinds[$kind] };
    return "$line\r\nHost: a\r\n" . (defined $fields ? "$fields\r\n" : '') . "X-Request-Id: $id\r\n\r\n" . ($body // '');
}

sub method_of { return $kinds[ $_[0] ][2] =~ /([A-Z]+)/ ? $1 : undef }

# essence(RESPONSE): all that was sent, but for the date and the id.
sub essence {
    my ($r) = @_;
    return $r->{error} if $r->{error};
    my @fields = map { "$_->[0]: $_->[1]" } grep { $_->[0] !~ /\A(?:Date|X-Request-Id)\z/ } @{ $r->{fields} };
    return join "\n", "HTTP/$r->{version} $r->{status} $r->{reason}", @fields, "chunks @{ $r->{chunks} // [] }", $r->{body};
}

my @alone;
subtest 'each kind of request alone' => sub {
    for my $kind (0 .. $#kinds) {
        my $http = $server->connect;
        $http->send(bytes_of($kind, "k$kind"));
        my $r = $http->response(method_of($kind));
        ok(!$r->{error} && $r->{status} == $kinds[$kind][0] && $r->{headers}{'x-request-id'} eq "k$kind" && $http->quiet,
            show($kinds[$kind][2]) . ": $kinds[$kind][0]")
            or diag '  ' . ($r->{error} // $r->{status});
        ok(!$r->{close}, 'which keeps the connection');
        $alone[$kind] = essence($r);
    }
    is_answer($server->get($week), $oracle->answer(@week), 'the week is right');
    is_answer($server->get($big), $oracle->answer(@big, limit => 20_000), 'the larger answer is right');
};

# answered(HTTP, KINDS): all of them, in order; what is wrong, if anything.
sub answered {
    my ($http, @sent) = @_;
    for my $i (0 .. $#sent) {
        my $r = $http->response(method_of($sent[$i]));
        my $id = $r->{headers}{'x-request-id'} // 'none';
        return "answer $i: $r->{error}" if $r->{error};
        return "answer $i has the id $id" if $id ne "r$i";
        next if essence($r) eq $alone[ $sent[$i] ];
        return "answer $i to " . show($kinds[ $sent[$i] ][2]) . ' is ' . show(essence($r)) . ', not ' . show($alone[ $sent[$i] ]);
    }
    return '';
}

# some(COUNT): kinds, with each of them at least once; and the bytes of their requests.
sub some {
    my ($count) = @_;
    my @sent = shuffle(0 .. $#kinds, map { pick(@often) } 1 .. $count - @kinds);
    return (\@sent, join '', map { bytes_of($sent[$_], "r$_") } 0 .. $#sent);
}

sub client {
    my $http = $server->connect(undef, timeout => deadline(30));
    setsockopt $http->socket, 6, 1, 1;    # TCP_NODELAY
    return $http;
}

subtest '1000 requests in odd pieces' => sub {
    my ($sent, $bytes) = some(1000);
    my $http = client();
    my $at = 0;
    while ($at < length $bytes) {
        my $size = 1 + int rand pick(3, 30, 300, 3000, 30_000);
        $http->send(substr $bytes, $at, $size) or last;
        $at += $size;
    }
    cmp_ok($at, '>=', length $bytes, 'all are sent');
    is(answered($http, @$sent), '', '1000 answers come in order, each as alone') or diag "repeat with TICKD_SEED=$seed";
    ok($http->quiet, 'and nothing after them');
};

subtest '100 requests, one byte at a time' => sub {
    my ($sent, $bytes) = some(100);
    my $http = client();
    my $failed = grep { !$http->send($_) } split //, $bytes;
    is($failed, 0, 'all are sent');
    is(answered($http, @$sent), '', '100 answers come in order, each as alone') or diag "repeat with TICKD_SEED=$seed";
    ok($http->quiet, 'and nothing after them');
};

subtest '1000 requests and no more: a client that closes its half' => sub {
    my ($sent, $bytes) = some(1000);
    my $http = client();
    ok($http->send($bytes), 'all are sent at once');
    $http->finish_sending;
    is(answered($http, @$sent), '', '1000 answers come in order, each as alone') or diag "repeat with TICKD_SEED=$seed";
    ok($http->at_end && !$http->{reset}, 'then the server closes, too');
};

subtest 'a client that closes its half within a request' => sub {
    my $head = "GET $week HTTP/1.1\r\nHost: a\r\n";
    my $chunked = "${head}Transfer-Encoding: chunked\r\n\r\n";
    my %rest = (
        'nothing' => '', 'an empty line' => "\r\n", 'a method' => 'GE', 'a request line' => "GET $week HT", 'a line of the head' => "${head}X",
        'all but the last byte of a head' => "$head\r", 'no body' => "${head}Content-Length: 5\r\n\r\n", 'half a body' => "${head}Content-Length: 5\r\n\r\nhe",
        'no body, which was to be asked for' => "${head}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 'no chunk' => $chunked, 'a chunk size' => "${chunked}5",
        'an extension' => "${chunked}5;a=\"b", 'half a chunk' => "${chunked}5\r\nhe", 'a chunk' => "${chunked}5\r\nhello\r\n", 'the last chunk' => "${chunked}0\r\n",
        'a trailer' => "${chunked}0\r\nX: y",
    );
    for my $name (sort keys %rest) {
        for my $before (0, 3) {
            my @sent = map { pick(0 .. $#kinds) } 1 .. $before;
            my $http = client();
            $http->send(join '', (map { bytes_of($sent[$_], "r$_") } 0 .. $#sent), $rest{$name});
            $http->finish_sending;
            is(answered($http, @sent), '', "$before requests before $name are answered");
            my $more = $http->drain =~ s{\AHTTP/1\.1 100 [^\r\n]*\r\n\r\n}{}r;
            ok($http->{eof} && !$http->{reset} && $more eq '', "$name is not: just the end") or diag '  ' . show($more) . ($http->{reset} // '');
        }
    }
};

subtest 'requests behind one that ends the connection' => sub {
    for my $last ("GET $week HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n", "GET $week HTTP/1.0\r\n\r\n") {
        my ($sent, $bytes) = some(100);
        my $http = client();
        $http->send($bytes . $last . $inside x 100);
        is(answered($http, @$sent), '', 'those before are answered');
        my $r = $http->response;
        ok(is_answer($r, $oracle->answer(@week)) && $r->{close}, 'so is that one');
        ok($http->at_end && !$http->{reset}, 'those behind are not: just the end');
    }
};

$server->stop_ok;
done_testing;
