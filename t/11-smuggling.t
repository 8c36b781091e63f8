#!/usr/bin/perl
# Heads and bodies that two readers could take for different things (RFC 9112 11.2): each is
# refused, the connection ends, and nothing that follows on it is answered.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample);
use Tickd::Http qw(show);

my $data = scratch();
sample($data);
my $server = Tickd->start(data => $data, workers => 2);

# What a smuggler wants answered; its id shows up if it is.
my $smuggled = "GET /health HTTP/1.1\r\nHost: a\r\nX-Request-Id: smuggled\r\n\r\n";
my $line = 'GET /health HTTP/1.1';

# refused(NAME, STATUS, BYTES): one answer with STATUS (or one of several), then the end, whatever
# follows, whether it comes along or later, and whether or not there was a good one before.
sub refused {
    my ($name, $status, $bytes) = @_;
    my $pattern = ref $status ? $status : qr/\A$status\z/;
    subtest $name => sub {
        for my $pieces ([ 'in one go', "$bytes$smuggled$smuggled" ], [ 'in two', $bytes, "$smuggled$smuggled" ],
            [ 'byte by byte', split(//, $bytes), $smuggled ], [ 'after a good one', "$bytes$smuggled" ])
        {
            my ($how, @send) = @$pieces;
            my $http = $server->connect;
            if ($how eq 'after a good one') {
                $http->send("$line\r\nHost: a\r\n\r\n");
                is($http->response->{status}, 200, 'a good one');
            }
            setsockopt $http->socket, 6, 1, 1 if @send > 1;    # TCP_NODELAY
            for (@send) {
                $http->send($_) or last;
            }
            $http->finish_sending;
            my $r = $http->response;
            is_error($r, $pattern, undef, "$how: the status");
            ok($r->{close}, "$how: it says that it closes") or diag show($r->{headers}{connection});
            my $rest = $http->drain;
            ok($http->{eof} && $rest eq '', "$how: then the end, and nothing else") or diag '  ' . show($rest);
        }
    };
    return;
}

# allowed(NAME, BYTES): the same shape, but right: a 200 that shows the refusal above to be for its reason.
sub allowed {
    my ($name, $bytes) = @_;
    my $http = $server->connect;
    $http->send("$bytes$smuggled");
    my ($first, $second) = ($http->response, $http->response);
    ok(!$first->{error} && $first->{status} == 200 && !$second->{error} && $second->{status} == 200
            && $second->{headers}{'x-request-id'} eq 'smuggled' && $http->quiet, "allowed: $name")
        or diag "  $first->{status} " . ($first->{error} // '') . ", $second->{status} " . ($second->{error} // '');
    return;
}

# --- The request line

refused('RTSP', 400, "OPTIONS rtsp://a/b RTSP/1.0\r\nHost: a\r\nCSeq: 1\r\n\r\n");
refused('RTSP with an HTTP method', 400, "GET /health RTSP/1.0\r\nHost: a\r\n\r\n");
refused('DESCRIBE of RTSP', 400, "DESCRIBE rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n");
refused('ICE', 400, "SOURCE /health ICE/1.0\r\nHost: a\r\n\r\n");
refused('ICE with GET', 400, "GET /health ICE/1.0\r\nHost: a\r\n\r\n");
refused('SIP', 400, "INVITE sip:a\@b SIP/2.0\r\nHost: a\r\n\r\n");
refused("HTTP/2's preface", qr/\A(?:400|505)\z/, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
refused('HTTP/1.2', 505, "GET /health HTTP/1.2\r\nHost: a\r\n\r\n");
refused('HTTP/2.0', 505, "GET /health HTTP/2.0\r\nHost: a\r\n\r\n");
refused('HTTP/3.7', 505, "GET /health HTTP/3.7\r\nHost: a\r\n\r\n");
refused('HTTP/0.9 with a version', 505, "GET /health HTTP/0.9\r\nHost: a\r\n\r\n");
refused('HTTP/0.9 without one', 400, "GET /health\r\n");
refused('HTTP/1', qr/\A(?:400|505)\z/, "GET /health HTTP/1\r\nHost: a\r\n\r\n");
refused('HTTP/1.10', qr/\A(?:400|505)\z/, "GET /health HTTP/1.10\r\nHost: a\r\n\r\n");
refused('HTTP/11.1', qr/\A(?:400|505)\z/, "GET /health HTTP/11.1\r\nHost: a\r\n\r\n");
refused('HTTP/01.1', qr/\A(?:400|505)\z/, "GET /health HTTP/01.1\r\nHost: a\r\n\r\n");
refused('HTTP/1.1x', 400, "GET /health HTTP/1.1x\r\nHost: a\r\n\r\n");
refused('HTTP/1.1 and a space', 400, "GET /health HTTP/1.1 \r\nHost: a\r\n\r\n");
refused('HTTP/ 1.1', 400, "GET /health HTTP/ 1.1\r\nHost: a\r\n\r\n");
refused('http/1.1 in small letters', 400, "GET /health http/1.1\r\nHost: a\r\n\r\n");
refused('HTTPS/1.1', 400, "GET /health HTTPS/1.1\r\nHost: a\r\n\r\n");
refused('no spaces at all', 400, "GET/healthHTTP/1.1\r\nHost: a\r\n\r\n");
refused('no target', 400, "GET HTTP/1.1\r\nHost: a\r\n\r\n");
refused('an empty target', 400, "GET  HTTP/1.1\r\nHost: a\r\n\r\n");
refused('two spaces before the target', 400, "GET  /health HTTP/1.1\r\nHost: a\r\n\r\n");
refused('two spaces before the version', 400, "GET /health  HTTP/1.1\r\nHost: a\r\n\r\n");
refused('a tab for a space', 400, "GET\t/health\tHTTP/1.1\r\nHost: a\r\n\r\n");
refused('a space in the target', 400, "GET /heal th HTTP/1.1\r\nHost: a\r\n\r\n");
refused('a tab in the target', 400, "GET /heal\tth HTTP/1.1\r\nHost: a\r\n\r\n");
refused('a form feed in the target', 400, "GET /heal\fth HTTP/1.1\r\nHost: a\r\n\r\n");
refused('a space before the method', 400, " GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
refused('a method that is no token', 400, "G(T /health HTTP/1.1\r\nHost: a\r\n\r\n");
refused('a method with a colon', 400, "GET: /health HTTP/1.1\r\nHost: a\r\n\r\n");
refused('a target without a slash', 400, "GET health HTTP/1.1\r\nHost: a\r\n\r\n");
refused('a target with a fragment', 400, "GET /health#x HTTP/1.1\r\nHost: a\r\n\r\n");
refused('* for a GET', 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n");
refused('an authority for a GET', 400, "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n");
refused('a raw 8-bit byte in the target', 400, "GET /health\xff HTTP/1.1\r\nHost: a\r\n\r\n");
refused('raw UTF-8 in the target', 400, "GET /api/data?symbol=\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n");
refused('a raw 8-bit byte in an absolute target', 400, "GET http://\xe4/health HTTP/1.1\r\nHost: a\r\n\r\n");
refused('NUL in the target', 400, "GET /health\0 HTTP/1.1\r\nHost: a\r\n\r\n");
refused('DEL in the target', 400, "GET /health\x7f HTTP/1.1\r\nHost: a\r\n\r\n");
refused('NUL in the method', 400, "G\0T /health HTTP/1.1\r\nHost: a\r\n\r\n");
refused('a method without end', 501, 'A' x 1000);
refused('a TLS hello', 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n");

# CONNECT: a method of RFC 9110, so a 405; what follows would be another protocol's.
{
    my $http = $server->connect;
    $http->send("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n");
    my $r = $http->response;
    is_error($r, 405, undef, 'CONNECT is a 405');
    like($r->{headers}{allow} // '', qr/GET/, 'with Allow');
    ok($r->{close} || $http->get('/health')->{status} == 200, 'and the connection is closed, or in step');
}
{
    my $http = $server->connect;
    $http->send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: " . length($smuggled) . "\r\n\r\n$smuggled");
    my $r = $http->response;
    like($r->{status}, qr/\A40[05]\z/, 'CONNECT with a body');
    $http->finish_sending;
    is($http->drain, '', 'whose body is not answered');
}

# --- Line ends

refused('bare LF after the request line', 400, "$line\nHost: a\r\n\r\n");
refused('bare LF after a header', 400, "$line\r\nHost: a\nX: b\r\n\r\n");
refused('bare LF for the last line', 400, "$line\r\nHost: a\r\n\n");
refused('bare LF only', 400, "$line\nHost: a\n\n");
refused('bare CR after the request line', 400, "$line\rHost: a\r\n\r\n");
refused('bare CR in a header', 400, "$line\r\nHost: a\r\nX: b\rc\r\n\r\n");
refused('bare CR as the end of a header (CVE-2023-30589)', 400, "$line\r\nHost: a\r\nX: b\rContent-Length: 5\r\n\r\nhello");
refused('bare CR and Transfer-Encoding (CVE-2023-30589)', 400, "$line\r\nHost: a\r\nX: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
refused('CR CR LF', 400, "$line\r\nHost: a\r\r\n\r\n");
refused('CR before the last LF missing', 400, "$line\r\nHost: a\r\n\rX: y\r\n\r\n");
refused('NUL in a value', 400, "$line\r\nHost: a\r\nX: b\0c\r\n\r\n");
refused('NUL in Host', 400, "$line\r\nHost: a\0b\r\n\r\n");
refused('NUL in a name', 400, "$line\r\nHost: a\r\nX\0: b\r\n\r\n");
refused('a control byte in a value', 400, "$line\r\nHost: a\r\nX: b\x01c\r\n\r\n");
refused('DEL in a value', 400, "$line\r\nHost: a\r\nX: b\x7fc\r\n\r\n");

# --- Header fields

refused('obs-fold with a space', 400, "$line\r\nHost: a\r\nX: b\r\n c\r\n\r\n");
refused('obs-fold with a tab', 400, "$line\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n");
refused('obs-fold of Transfer-Encoding', 400, "$line\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n");
refused('obs-fold of Content-Length', 400, "$line\r\nHost: a\r\nContent-Length:\r\n 5\r\n\r\nhello");
refused('an empty fold', 400, "$line\r\nHost: a\r\nX: b\r\n \r\n\r\n");
refused('a space before the first header (CVE-2024-27982)', 400, "$line\r\n Host: a\r\nHost: a\r\n\r\n");
refused('a space before a first Content-Length (CVE-2024-27982)', 400, "$line\r\n Content-Length: 5\r\nHost: a\r\n\r\nhello");
refused('a tab before the first header', 400, "$line\r\n\tHost: a\r\nHost: a\r\n\r\n");
refused('a space before the colon', 400, "$line\r\nHost : a\r\n\r\n");
refused('a tab before the colon', 400, "$line\r\nHost\t: a\r\n\r\n");
refused('Content-Length and a space before the colon', 400, "$line\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello");
refused('Transfer-Encoding and a space before the colon', 400, "$line\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n");
refused('a space in a name', 400, "$line\r\nHost: a\r\nX Y: b\r\n\r\n");
refused('no colon', 400, "$line\r\nHost: a\r\nX\r\n\r\n");
refused('an empty name', 400, "$line\r\nHost: a\r\n: b\r\n\r\n");
refused('an 8-bit byte in a name', 400, "$line\r\nHost: a\r\nX\xe4: b\r\n\r\n");
refused('a name that is no token', 400, "$line\r\nHost: a\r\nX(y): b\r\n\r\n");
refused('no Host', 400, "$line\r\n\r\n");
refused('no Host among others', 400, "$line\r\nAccept: */*\r\n\r\n");
refused('two Hosts', 400, "$line\r\nHost: a\r\nHost: b\r\n\r\n");
refused('two Hosts that agree', 400, "$line\r\nHost: a\r\nhost: a\r\n\r\n");
refused('two Hosts for HTTP/1.0', 400, "GET /health HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n");
refused('a Host that is none: a space', 400, "$line\r\nHost: a b\r\n\r\n");
refused('a Host that is none: a path', 400, "$line\r\nHost: a/b\r\n\r\n");
refused('no Host with an absolute target', 400, "GET http://a/health HTTP/1.1\r\n\r\n");
allowed('8-bit bytes in a value (obs-text)', "$line\r\nHost: a\r\nX: \xc3\xa4\xff\r\n\r\n");
allowed('a tab in a value, spaces around it', "$line\r\nHost: a\r\nX: \t b\tc \t\r\n\r\n");
allowed('an empty value', "$line\r\nHost: a\r\nX:\r\n\r\n");
allowed('no space after the colon', "$line\r\nHost:a\r\n\r\n");

# --- How long is the body?

my $chunked = 'Transfer-Encoding: chunked';
refused('Content-Length with Transfer-Encoding', 400, "$line\r\nHost: a\r\nContent-Length: 5\r\n$chunked\r\n\r\n0\r\n\r\n");
refused('Transfer-Encoding with Content-Length', 400, "$line\r\nHost: a\r\n$chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n");
refused('Content-Length 0 with Transfer-Encoding', 400, "$line\r\nHost: a\r\n$chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n");
refused('two Content-Lengths', 400, "$line\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello");
refused('two Content-Lengths that agree', 400, "$line\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello");
refused('a list of Content-Lengths', 400, "$line\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello");
for my $length ('+5', '-5', '-0', '0x5', '5x', ' 5 5', '5,', '"5"', '', '5 ;', '1e1', "\x0b5", '5.0', "5\xa0",
    '18446744073709551621', '99999999999999999999999999', '00x')
{
    refused('Content-Length: ' . show($length), $length =~ /\A\d{20,}\z/ ? qr/\A4(?:00|13)\z/ : 400,
        "$line\r\nHost: a\r\nContent-Length: $length\r\n\r\nhello");
}
allowed('Content-Length: 5 and tabs', "$line\r\nHost: a\r\nContent-Length:\t5\t \r\n\r\nhello");
allowed('Content-Length: 5', "$line\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
# Transfer codings that are not known are a 501 (RFC 9112 6.1), but a 400 where chunked is not the last one (6.3).
for my $coding ('identity', 'xchunked', 'chunkedx', 'chunkedchunked', 'chunked, identity', 'chunked, chunked', 'identity, chunked', 'gzip',
    'gzip, chunked', ', chunked', 'chunked,', 'x', '', ',', 'chunked;', 'chunked;a=b', '"chunked"', "chunked\x0b", "\x0bchunked", "chunked\xa0",
    'chunk', 'cow, chunked', 'chunked, cow')
{
    my $status = $coding eq 'chunked, chunked' ? qr/\A(?:400|501)\z/ : $coding =~ /, chunked\z/ ? 501 : 400;
    refused('Transfer-Encoding: ' . show($coding), $status, "$line\r\nHost: a\r\nTransfer-Encoding: $coding\r\n\r\n0\r\n\r\n");
}
refused('Transfer-Encoding twice', qr/\A(?:400|501)\z/, "$line\r\nHost: a\r\n$chunked\r\n$chunked\r\n\r\n0\r\n\r\n");
refused('Transfer-Encoding twice, one identity', qr/\A(?:400|501)\z/, "$line\r\nHost: a\r\n$chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n");
refused('Transfer-Encoding in HTTP/1.0', 400, "GET /health HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n$chunked\r\n\r\n0\r\n\r\n");
allowed('chunked', "$line\r\nHost: a\r\n$chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
allowed('chunked in capitals', "$line\r\nHost: a\r\ntransfer-encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
allowed('a chunk extension', "$line\r\nHost: a\r\n$chunked\r\n\r\n5;a=b;c=\"d\"\r\nhello\r\n0;z\r\n\r\n");
allowed('chunked and tabs', "$line\r\nHost: a\r\nTransfer-Encoding:\tchunked \t\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
allowed('chunk extensions and blanks', "$line\r\nHost: a\r\n$chunked\r\n\r\n5 ; a\t=\t\"\\\";\" ;b\r\nhello\r\n0\r\n\r\n");
allowed('a trailer', "$line\r\nHost: a\r\n$chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n");

my $body = "$line\r\nHost: a\r\n$chunked\r\n\r\n";
refused('a chunk size over 2^64', qr/\A4(?:00|13)\z/, "${body}10000000000000005\r\nhello\r\n0\r\n\r\n");
refused('a chunk size of 2^64-1', qr/\A4(?:00|13)\z/, "${body}ffffffffffffffff\r\nhello\r\n0\r\n\r\n");
refused('a chunk size of 2^32', qr/\A4(?:00|13)\z/, "${body}100000000\r\nhello\r\n0\r\n\r\n");
refused('a chunk size with sign', 400, "${body}+5\r\nhello\r\n0\r\n\r\n");
refused('a chunk size below zero', 400, "${body}-5\r\nhello\r\n0\r\n\r\n");
refused('a chunk size with 0x', 400, "${body}0x5\r\nhello\r\n0\r\n\r\n");
refused('a chunk size that is none', 400, "${body}xyz\r\nhello\r\n0\r\n\r\n");
refused('no chunk size', 400, "$body\r\nhello\r\n0\r\n\r\n");
refused('no chunk size but an extension', 400, "$body;a=b\r\nhello\r\n0\r\n\r\n");
refused('a space before a chunk size', 400, "$body 5\r\nhello\r\n0\r\n\r\n");
refused('a space within a chunk size', 400, "${body}5 5\r\nhello\r\n0\r\n\r\n");
refused('bare LF after a chunk size', 400, "${body}5\nhello\r\n0\r\n\r\n");
refused('bare CR after a chunk size', 400, "${body}5\rhello\r\n0\r\n\r\n");
refused('bare LF in a chunk extension', 400, "${body}5;a\nb\r\nhello\r\n0\r\n\r\n");
refused('bare CR in a chunk extension', 400, "${body}5;a\rb\r\nhello\r\n0\r\n\r\n");
refused('a blank after a chunk size', 400, "${body}5 \r\nhello\r\n0\r\n\r\n");
refused('a chunk extension without name', 400, "${body}5;\r\nhello\r\n0\r\n\r\n");
refused('a chunk extension that is no token', 400, "${body}5;[a]\r\nhello\r\n0\r\n\r\n");
refused('a chunk extension whose quotes do not end', 400, "${body}5;a=\"b\r\nhello\r\n0\r\n\r\n");
refused('a blank after a chunk extension', 400, "${body}5;a \r\nhello\r\n0\r\n\r\n");
refused('NUL in a chunk extension', 400, "${body}5;a\0b\r\nhello\r\n0\r\n\r\n");
refused('bare LF after a chunk', 400, "${body}5\r\nhello\n0\r\n\r\n");
refused('no line end after a chunk', 400, "${body}5\r\nhelloo0\r\n\r\n");
refused('a chunk longer than it says', 400, "${body}4\r\nhello\r\n0\r\n\r\n");
refused('bare LF at the end', 400, "${body}0\r\n\n");
refused('bare LF after the last chunk size', 400, "${body}0\n\r\n");
refused('a trailer that is folded', 400, "${body}0\r\nX: a\r\n b\r\n\r\n");
refused('a trailer without colon', 400, "${body}0\r\nX\r\n\r\n");
refused('a space before the colon of a trailer', 400, "${body}0\r\nX : a\r\n\r\n");
refused('a bare CR in a trailer', 400, "${body}0\r\nX: a\rb\r\n\r\n");
refused('a bare LF after a trailer', 400, "${body}0\r\nX: a\n\r\n");

# Upgrade with a body: the body is a body.
allowed('Upgrade with a body', "$line\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: " . length($smuggled) . "\r\n\r\n$smuggled");
allowed('Upgrade with a chunked body', "$line\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n$chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");

# What was answered before a malformed message stays answered.
{
    my $http = $server->connect;
    $http->send("$line\r\nHost: a\r\n\r\n$line\r\nHost : a\r\n\r\n$smuggled");
    $http->finish_sending;
    is($http->response->{status}, 200, 'a good request before a bad one is answered');
    is_error($http->response, 400, undef, 'then the bad one');
    is($http->drain, '', 'then nothing');
}

$server->stop_ok;
done_testing;
