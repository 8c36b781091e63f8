#!/usr/bin/perl
# The tests' own tools: the oracle against answers worked out by hand, the client against bad answers.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::IP;
use Test::More;
use Tickd;
use Tickd::Data qw(write_day append_day midnight day_of iso_of file_of day_in_file pack_column unpack_column);
use Tickd::Http qw(url);
use Tickd::Oracle;

subtest 'days and columns' => sub {
    is(day_of('1970-01-01'), 0, 'the epoch');
    is(day_of('2000-03-01') - day_of('2000-02-28'), 2, 'a leap year');
    is(iso_of(day_of('2099-12-31')), '2099-12-31', 'there and back');
    is(file_of('time', day_of('2025-02-01')), 'time.01.02.25.bin', 'a file name');
    is_deeply([ day_in_file('best.bid.31.12.99.bin') ], [ 'best.bid', day_of('2099-12-31') ], 'read back');
    is_deeply([ day_in_file('time.31.02.25.bin') ], [], 'no such day');
    is(unpack('H*', pack_column('i16', [ -2, 258 ])), 'feff0201', 'little-endian');
    is_deeply([ unpack_column('bytes2', 'abcd') ], [ 'ab', 'cd' ], 'bytes');
    is(url('/x', a => 'b c', d => undef, e => '+/'), '/x?a=b%20c&e=%2B%2F', 'a URL');
};

subtest 'the oracle, by hand' => sub {
    my $data = scratch();
    my $m = midnight('2025-01-01');
    write_day($data, 'coinbase/A/MD', '2025-01-01', { time => [ $m, $m + 5, $m + 5, $m + 9 ], nanos => [ 0, 1, 2, 3 ], p => [ 1, 2, 3, 4 ] });
    write_day($data, 'coinbase/A/MD', '2025-01-02', { time => [ $m + 86399, $m + 86401 ], nanos => [ 0, 0 ], p => [5] });
    my $oracle = Tickd::Oracle->new(data => $data);
    my @q = (symbol => 'A', type => 'MD', columns => 'p,time');
    my $a = $oracle->answer(@q, start => $m + 5, end => $m + 9);
    my $line = '{"version":1,"exchange":"coinbase","symbol":"A","type":"MD","rows_in_range":3,"skipped_days":[],"columns":['
        . '{"name":"p","type":"f32","record_size":4,"num_records":3,"data_length":12,"offset":0},'
        . '{"name":"time","type":"u32","record_size":4,"num_records":3,"data_length":12,"offset":12}]}';
    my $padded = $line . ' ' x ((64 - (length($line) + 1) % 64) % 64) . "\n";
    is($a->{body}, $padded . pack('f<3 V3', 2, 3, 4, $m + 5, $m + 5, $m + 9), 'rows 2 to 4');
    is(parse_raw($a->{body})->{error}, undef, 'which parse_raw takes');
    is(length($padded) % 64, 0, 'padded');
    my $of = sub { my $r = $oracle->answer(@q, @_); join ' ', $r->{status}, $r->{rows} // '', unpack 'f<*', ($r->{bytes} // {})->{p} // '' };
    is($of->(start => $m, end => $m + 9), '200 4 1 2 3 4', 'a range of one day');
    is($of->(start => $m, end => $m + 100000), '500 ', 'damage');
    is($of->(start => $m, end => $m + 100000, missing => 'skip'), '200 4 1 2 3 4', 'skip');
    is($of->(start => $m, end => $m + 100000, missing => 'prefix'), '200 5 1 2 3 4 5', 'prefix');
    is($of->(start => $m + 86399, end => $m + 86399, missing => 'prefix'), '200 1 5', 'a row in the next file');
    is($of->(start => $m, end => $m + 9, limit => 2), '200 2 1 2', 'limit');
    is($of->(start => $m, end => $m + 9, tail => 2), '200 2 3 4', 'tail');
    is($of->(end => $m + 9, tail => 1), '200 1 4', 'tail without start');
    is($of->(start => $m, end => $m + 9, max_points => 3), '200 2 1 3', 'stride 2');
    is($of->(start => $m, end => $m + 9, max_points => 4), '200 4 1 2 3 4', 'stride 1');
    is($of->(start => $m, end => $m + 9, max_points => 1), '200 1 1', 'stride 4');
    is($of->(start => '2025-01-01T00:00:05.000000002Z', end => '2025-01-01T00:00:09.000000003Z'), '200 2 3 4', 'nanos');
    is($of->(start => '2025-01-01T00:00:05.1Z', end => '2025-01-01T00:00:09.000000002Z'), '200 0', 'nanos, none');
    is($of->(start => '2025-01-01T01:00:05+01:00', end => '2024-12-31T23:00:05-01:00'), '200 2 2 3', 'zones');
    is($of->(start => 2, end => 1), '400 ', 'start > end');
    is($oracle->answer(@q, start => 0, end => 1, x => 1)->{parameter}, 'x', 'an unknown parameter');
    is($oracle->answer(@q, start => 0, end => 4294967296)->{parameter}, 'end', 'outside u32');
    is($oracle->answer(symbol => 'A', type => 'MD', columns => 'p,q', start => 0, end => 1)->{status}, 404, 'no such column');
    is($oracle->answer(symbol => 'B', type => 'MD', columns => 'p', start => 0, end => 1)->{parameter}, 'symbol', 'no such symbol');
    append_day($data, 'coinbase/A/MD', '2025-01-02', { time => [ $m + 86402 ] }, mtime => 'now');
    is($of->(start => $m, end => $m + 100000), '200 5 1 2 3 4 5', 'a live day is a prefix');
};

subtest 'parse_raw refuses' => sub {
    my $line = '{"version":1,"columns":[{"name":"a","record_size":4,"num_records":1,"data_length":4,"offset":0}]}';
    my $good = $line . ' ' x (127 - length $line) . "\n";
    is(parse_raw("${good}abcd")->{error}, undef, 'but not what is right');
    like(parse_raw("$line\nabcd")->{error}, qr/bytes/, 'no padding');
    like(parse_raw($line . ' ' x (191 - length $line) . "\nabcd")->{error}, qr/padding/, 'too much of it');
    like(parse_raw("${good}abc")->{error}, qr/follow/, 'too little data');
    like(parse_raw("${good}abcde")->{error}, qr/follow/, 'too much');
    like(parse_raw($good =~ s/"offset":0/"offset":4/r . 'abcd')->{error}, qr/at 4/, 'an offset');
    like(parse_raw($good =~ s/"data_length":4/"data_length":8/r . 'abcdabcd')->{error}, qr/multiply/, 'a length');
};

subtest 'the client refuses' => sub {
    my $listener = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 50) or die $!;
    my $answer = sub {
        my ($bytes) = @_;
        my $http = Tickd::Http->connect(host => '127.0.0.1', port => $listener->sockport, timeout => 5);
        my $peer = $listener->accept;
        print {$peer} $bytes;
        close $peer;
        return $http;
    };
    my $ok = "HTTP/1.1 200 OK\r\n";
    my @good = (
        [ "${ok}Content-Length: 5\r\n\r\nhello", 'hello' ], [ "${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 'hello' ],
        [ "HTTP/1.1 100 Continue\r\n\r\n${ok}Content-Length: 0\r\n\r\n", '' ], [ "HTTP/1.1 204 No Content\r\n\r\n", '' ],
    );
    is($answer->($_->[0])->response->{error} // $_->[1], $_->[1], Tickd::Http::show($_->[0])) for @good;
    is($answer->("$good[0][0]$good[1][0]")->response->{body}, 'hello', 'one of two');
    my @bad = (
        '', 'HTTP/1.1 200', "HTTP/1.1 200 OK\n\n", "HTTP/1.1 20 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        "${ok}\r\n", "${ok}Content-Length: 5\r\n\r\nhell", "${ok}Content-Length: 05\r\n\r\nhello", "${ok}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "${ok}Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", "${ok}Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n",
        "${ok}Transfer-Encoding: chunked\r\n\r\n0\r\n", "${ok}X y: 1\r\nContent-Length: 0\r\n\r\n", "${ok}X: 1\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "${ok}Content-Length: 0\r\n",
    );
    isnt($answer->($_)->response->{error}, undef, Tickd::Http::show($_)) for @bad;
};

done_testing;
