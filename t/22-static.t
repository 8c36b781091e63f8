#!/usr/bin/perl
# Raw answers like static files: tags, conditions, ranges, and how long a cache may keep them.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy ();
use POSIX qw(strftime);
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_day append_day write_file read_file midnight day_of iso_of file_of big_day OLD);
use Tickd::Http qw(url show);
use Tickd::Oracle;
use Tickd::Random qw(seed pick chance random_series random_query);
use Time::HiRes qw(time);

my $seed = seed();
note "TICKD_SEED=$seed";
my $rounds = $ENV{TICKD_TEST_ROUNDS} || 1;
my $data = scratch();
sample("$data");
my $dir = "$data/coinbase/BTC-USD/MD";
my $server = Tickd->start(data => $data, workers => 2);

sub target (%change) {
    my %query = (symbol => 'BTC-USD', type => 'MD', columns => 'time,price,id', start => '2025-01-01', end => '2025-01-02', %change);
    return url('/api/data', map { $_ => $query{$_} } sort grep { defined $query{$_} } keys %query);
}

sub http_date ($time) {
    my @t = gmtime $time;
    return sprintf '%s, %02d %s %d %02d:%02d:%02d GMT', (qw(Sun Mon Tue Wed Thu Fri Sat))[ $t[6] ], $t[3],
        (qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec))[ $t[4] ], $t[5] + 1900, @t[ 2, 1, 0 ];
}

sub tag_of ($target, $of = $server) { return $of->get($target)->{headers}{etag} // 'none' }

# What makes an answer like a file must be in every one of them.
sub is_status ($r, $status, $name) {
    return is($r->{error} // $r->{status}, $status, $name);
}

subtest 'an answer has its validators' => sub {
    my $http = $server->connect;
    my $r = $http->get(target());
    my %h = %{ $r->{headers} };
    like($h{etag}, qr/\A"[0-9a-f]+"\z/, 'a strong ETag');
    is($h{'last-modified'}, http_date(OLD), 'Last-Modified: that of the files');
    is($h{'accept-ranges'}, 'bytes', 'Accept-Ranges');
    is($h{'cache-control'}, 'public, max-age=3600', 'a closed answer may be kept');
    is($r->{framing}, 'chunked', 'a 200 is chunked');
    is($http->get(target(framing => 'length'))->{headers}{etag}, $h{etag}, 'whatever the framing, it is the same answer');
    is($http->get(target(framing => 'length'))->{framing}, 'length', 'framing=length');
    my $old = $server->connect;
    $old->send("GET ${\target()} HTTP/1.0\r\n\r\n");
    my $plain = $old->response;
    is($plain->{framing}, 'length', 'HTTP/1.0: with its length');
    is($plain->{headers}{etag}, $h{etag}, 'and the same tag');
    my $head = $http->request('HEAD', target());
    for my $field (qw(etag last-modified accept-ranges cache-control content-type)) {
        is($head->{headers}{$field}, $h{$field}, "HEAD: $field");
    }
    is($head->{headers}{'content-length'}, length $r->{body}, 'HEAD: Content-Length');
    is(tag_of(target()), $h{etag}, 'the other worker agrees') for 1 .. 8;
    # Everything that changes the bytes changes the tag.
    my %tags = ($h{etag} => 'it');
    for my $change ([ columns => 'time,id,price' ], [ columns => 'time,price' ], [ start => '2025-01-02' ], [ limit => 5 ], [ limit => 6 ],
        [ tail => 5 ], [ max_points => 7 ], [ max_points => 50 ], [ end => '2025-01-04' ], [ start => midnight('2025-01-01') + 36001 ])
    {
        my $tag = tag_of(target(@$change));
        ok(!$tags{$tag}, "@$change: another tag") or diag "as $tags{$tag}";
        $tags{$tag} = "@$change";
    }
    my $none = $server->get(target(start => '2024-01-01', end => '2024-01-02'));
    is($none->{status}, 200, 'no rows');
    like($none->{headers}{etag}, qr/\A"/, 'a tag');
    ok(!exists $none->{headers}{'last-modified'}, 'no Last-Modified without files');
    for my $other ('/health', '/api/data', '/nowhere') {
        my %o = %{ $server->get($other)->{headers} };
        ok(!exists $o{etag} && !exists $o{'last-modified'} && !exists $o{'accept-ranges'}, "$other: none of it");
        is($o{'cache-control'}, $other eq '/health' ? 'no-cache' : 'no-store', "$other: Cache-Control");
    }
    # The newest of the files, of all days with rows.
    utime OLD, OLD + 1000, "$dir/" . file_of('price', day_of('2025-01-01'));
    is($server->get(target())->{headers}{'last-modified'}, http_date(OLD + 1000), 'the newest file counts');
    isnt(tag_of(target()), $h{etag}, 'and makes another tag');
    utime OLD, OLD, "$dir/" . file_of('price', day_of('2025-01-01'));
    is(tag_of(target()), $h{etag}, 'as before, as before');
};

subtest 'what a tag stands for' => sub {
    my $tag = tag_of(target());
    my $few = tag_of(target(limit => 5));
    my $file = sub ($column, $day) { return "$dir/" . file_of($column, day_of("2025-01-0$day")) };
    # touched(NAME, COLUMN, DAY, WHAT): whether another modification time makes another tag.
    my $touched = sub ($name, $column, $day, %changes) {
        Time::HiRes::utime(OLD, OLD + 0.25, $file->($column, $day));
        is(tag_of(target()) ne $tag, $changes{all}, "$name: the answer's tag");
        is(tag_of(target(limit => 5)) ne $few, $changes{few}, "$name: that of its first rows");
        utime OLD, OLD, $file->($column, $day);
    };
    my ($yes, $no) = (1 == 1, 1 == 0);
    $touched->('a column asked for, by less than a second', 'price', 1, all => $yes, few => $yes);
    $touched->('time', 'time', 1, all => $yes, few => $yes);
    $touched->('a column not asked for', 'volume', 1, all => $no, few => $no);
    $touched->('a day of which no row is sent', 'price', 2, all => $yes, few => $no);
    $touched->('a day beside the range', 'price', 4, all => $no, few => $no);
    is(tag_of(target(columns => 'price,id')) ne tag_of(target(columns => 'id,price')), $yes, 'the order of columns');
    # A part of a record is not served, but it is a change of the file.
    my ($bytes, $whole_price) = map { read_file($file->('price', $_)) } 1, 2;
    write_file($file->('price', 1), 'xyz', OLD, '>>');
    my $r = $server->get(target());
    isnt($r->{headers}{etag}, $tag, 'another size');
    write_file($file->('price', 1), $bytes, OLD);
    is(tag_of(target()), $tag, 'as before');
    # Days that are left out are in the line.
    write_file($file->('price', 2), substr($bytes, 4), OLD);
    my %tags = map { tag_of(target(missing => $_)) => $_ } qw(skip prefix);
    is(scalar keys %tags, 2, 'a day left out, or in part');
    isnt(tag_of(target(missing => 'skip')), tag_of(target(missing => 'skip', end => '2025-01-01')), 'and left out, or not in the range');
    write_file($file->('price', 2), $whole_price, OLD);
    is(tag_of(target()), $tag, 'as before');
};

subtest 'no other endpoint is like a file' => sub {
    my $http = $server->connect;
    for my $target ('/api/symbols', '/api/symbol-search?q=btc', '/api/status', '/api/coverage?symbol=BTC-USD&type=MD', '/health') {
        my $r = $http->get($target, Range => 'bytes=0-1', 'If-None-Match' => '*', 'If-Match' => '"x"');
        is($r->{status}, 200, "$target: 200");
        is($r->{framing}, 'length', "$target: Content-Length");
        ok(!exists $r->{headers}{etag} && !exists $r->{headers}{'last-modified'} && !exists $r->{headers}{'accept-ranges'}, "$target: no validators");
        is($r->{headers}{'cache-control'}, 'no-cache', "$target: no-cache");
        my $head = $http->request('HEAD', $target);
        ok(exists $head->{headers}{'content-length'}, "$target: HEAD");
    }
};

subtest 'conditions' => sub {
    my $target = target();
    my $whole = $server->get($target);
    my $tag = $whole->{headers}{etag};
    my ($before, $same, $after) = map { http_date(OLD + $_) } -1, 0, 1;
    my @t = gmtime OLD;
    my $weekday = (qw(Sunday Monday Tuesday Wednesday Thursday Friday Saturday))[ $t[6] ];
    my $month = (qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec))[ $t[4] ];
    my $rfc850 = sprintf '%s, %02d-%s-%02d %02d:%02d:%02d GMT', $weekday, $t[3], $month, $t[5] % 100, @t[ 2, 1, 0 ];
    my $asctime = sprintf '%s %s %2d %02d:%02d:%02d %d', substr($weekday, 0, 3), $month, $t[3], @t[ 2, 1, 0 ], $t[5] + 1900;
    my @rows = (
        [ 304, 'If-None-Match' => $tag ], [ 304, 'If-None-Match' => "W/$tag" ], [ 304, 'If-None-Match' => '*' ],
        [ 304, 'If-None-Match' => qq("x", "y,z" , W/"q",$tag) ], [ 200, 'If-None-Match' => '"x"' ],
        [ 304, 'If-None-Match' => '"x"', 'If-None-Match' => $tag ],
        [ 200, 'If-None-Match' => substr $tag, 1, -1 ],
        [ 304, 'If-Modified-Since' => $same ], [ 200, 'If-Modified-Since' => $before ], [ 200, 'If-Modified-Since' => $after ],
        [ 304, 'If-Modified-Since' => $rfc850 ], [ 304, 'If-Modified-Since' => $asctime ], [ 200, 'If-Modified-Since' => 'x' ],
        [ 200, 'If-None-Match' => '"x"', 'If-Modified-Since' => $same ], [ 304, 'If-None-Match' => $tag, 'If-Modified-Since' => $before ],
        [ 200, 'If-Match' => $tag ], [ 200, 'If-Match' => '*' ], [ 412, 'If-Match' => '"x"' ], [ 412, 'If-Match' => "W/$tag" ],
        [ 200, 'If-Match' => qq("x", $tag) ], [ 412, 'If-Match' => '"x"', 'If-None-Match' => $tag ],
        [ 304, 'If-Match' => $tag, 'If-None-Match' => $tag ],
        [ 200, 'If-Unmodified-Since' => $same ], [ 200, 'If-Unmodified-Since' => $after ], [ 412, 'If-Unmodified-Since' => $before ],
        [ 200, 'If-Unmodified-Since' => 'x' ], [ 200, 'If-Match' => $tag, 'If-Unmodified-Since' => $before ],
        [ 412, 'If-Unmodified-Since' => $before, 'If-None-Match' => $tag ],
    );
    my $http = $server->connect;
    for my $method (qw(GET HEAD GET)) {
        for my $row (@rows) {
            my ($status, @fields) = @$row;
            my $r = $http->request($method, $target, @fields);
            my $name = "$method, " . join ' ', @fields;
            is_status($r, $status, "$name: $status") or next;
            if ($status == 412) {
                $method eq 'GET' ? is_error($r, 412, undef, "$name: an error") : is($r->{headers}{'cache-control'}, 'no-store', "$name: no-store");
                next;
            }
            is($r->{headers}{$_}, $whole->{headers}{$_}, "$name: $_") for qw(etag last-modified cache-control access-control-allow-origin);
            if ($status == 304) {
                ok(!exists $r->{headers}{'transfer-encoding'} && !exists $r->{headers}{'content-type'}, "$name: no body");
            } elsif ($method eq 'GET') {
                ok($r->{body} eq $whole->{body}, "$name: the whole body");
            }
        }
    }
    # Only what would be a 2xx has conditions.
    is_error($http->get(target(columns => 'nope'), 'If-None-Match' => '*'), 404, 'columns', 'an error stays one');
    is($http->get('/health', 'If-None-Match' => '*')->{status}, 200, '/health has none');
    my $none = target(start => '2024-01-01', end => '2024-01-02');
    is_status($http->get($none, 'If-Modified-Since' => $same), 200, 'without files there is no date to compare');
    is_status($http->get($none, 'If-Unmodified-Since' => $before), 200, 'neither way');
    is_status($http->get($none, 'If-None-Match' => tag_of($none)), 304, 'but a tag');
};

# part(WHOLE, RANGE): [status, bytes, content-range] as RFC 9110 says, for what is one range.
sub part ($whole, $first, $last) {
    my $n = length $whole;
    return [ 200, $whole, undef ] if $first ne '' && $last ne '' && $last < $first;
    return [ 416, undef, "bytes */$n" ] if $first ne '' ? $first >= $n : $last == 0;
    my ($from, $to) = $first ne '' ? ($first, $last ne '' && $last < $n ? $last : $n - 1) : ($last < $n ? $n - $last : 0, $n - 1);
    return [ 206, substr($whole, $from, $to - $from + 1), "bytes $from-$to/$n" ];
}

sub wrong_part ($r, $expected, $whole) {
    return $r->{error} if $r->{error};
    return "status $r->{status}, not $expected->[0]" if $r->{status} != $expected->[0];
    return 'Content-Range: ' . ($r->{headers}{'content-range'} // 'none') if ($r->{headers}{'content-range'} // '') ne ($expected->[2] // '');
    return '' if $r->{status} == 416;
    return 'not with its length' if $r->{status} == 206 && $r->{framing} ne 'length';
    return 'another tag' if $r->{headers}{etag} ne $whole->{headers}{etag};
    return 'no Accept-Ranges' if ($r->{headers}{'accept-ranges'} // '') ne 'bytes';
    return $r->{body} eq $expected->[1] ? '' : 'other bytes';
}

subtest 'ranges' => sub {
    my $http = $server->connect;
    my $target = target();
    my $whole = $http->get($target);
    my $tag = $whole->{headers}{etag};
    my $n = length $whole->{body};
    my $line = 1 + index $whole->{body}, "\n";
    for my $range ([ 0, 0 ], [ 0, '' ], [ $n - 1, '' ], [ $n, '' ], [ $n, $n ], [ 0, $n - 1 ], [ 0, $n ], [ 5, '9' x 25 ], [ '', 1 ], [ '', $n ],
        [ '', $n + 1 ], [ '', 0 ], [ 5, 4 ], [ $line, '' ], [ $line - 1, $line ], [ $line + 1, $line + 2 ], [ $line + 1600, $line + 1600 ],
        [ $line + 1599, $line + 1603 ], [ '9' x 25, '' ])
    {
        my ($first, $last) = @$range;
        is(wrong_part($http->get($target, Range => "bytes=$first-$last"), part($whole->{body}, $first, $last), $whole), '', "bytes=$first-$last");
    }
    is_error($http->get($target, Range => "bytes=$n-"), 416, undef, 'a 416 is an error');
    my $all = [ 200, $whole->{body}, undef ];
    for my $odd ('bytes=0-1,3-4', 'bytes=0-0, -1', 'bytes=', 'bytes=-', 'bytes=a-b', 'items=0-1', 'bytes=1-2-3', '0-1', 'bytes=1') {
        is(wrong_part($http->get($target, Range => $odd), $all, $whole), '', "$odd: the whole");
    }
    my $some = part($whole->{body}, 3, 400);
    my @range = (Range => 'bytes=3-400');
    is(wrong_part($http->get($target, @range, 'If-Range' => $tag), $some, $whole), '', 'If-Range: the tag');
    is(wrong_part($http->get($target, @range, 'If-Range' => $_), $all, $whole), '', "If-Range: $_") for qq("x"), "W/$tag", http_date(OLD), '*';
    is(wrong_part($http->get($target, Range => "bytes=$n-", 'If-Range' => '"x"'), $all, $whole), '', 'If-Range: another, and a range outside');
    is(wrong_part($http->get($target, @range, 'If-Match' => $tag), $some, $whole), '', 'If-Match holds');
    is_status($http->get($target, @range, 'If-Match' => '"x"'), 412, 'If-Match goes before');
    is_status($http->get($target, @range, 'If-None-Match' => $tag), 304, 'If-None-Match goes before');
    my $head = $http->request('HEAD', $target, @range);
    is_status($head, 200, 'HEAD: Range is ignored');
    is($head->{headers}{'content-length'}, $n, 'HEAD: the whole length');
    my $old = $server->connect;
    $old->send("GET $target HTTP/1.0\r\nRange: bytes=3-400\r\n\r\n");
    is(wrong_part($old->response, $some, $whole), '', 'HTTP/1.0');
    # The fields of one request are not those of the next one.
    is(wrong_part($http->get($target, @range), $some, $whole), '', 'once more');
    is(wrong_part($http->get($target, @range), $some, $whole), '', 'and again the same');
    is(wrong_part($http->get($target), $all, $whole), '', 'then without');
    $http->send(join '', map { "GET $target HTTP/1.1\r\nHost: a\r\n$_\r\n" } "Range: bytes=3-400\r\n", '', "Range: bytes=3-400\r\n", "If-None-Match: $tag\r\n", '');
    is(wrong_part($http->response, $_, $whole), '', "pipelined: $_->[0]") for $some, $all, $some;
    is_status($http->response, 304, 'pipelined: 304');
    is(wrong_part($http->response, $all, $whole), '', 'pipelined: 200');
};

subtest 'random ranges of random queries' => sub {
    my $random = scratch();
    my @series = grep { @{ $_->{days} } > 1 } map { random_series($random, "S$_") } 1 .. 25;
    # Some of them are live until the clock has the next second, and have another tag then.
    my $written = int time;
    wait_for(2, sub { int time > $written });
    my @types = map { "type=$_:$Tickd::Random::TYPES{$_}" } sort keys %Tickd::Random::TYPES;
    for my $setting ([], ['max_mapped=64']) {
        my $of = Tickd->start(data => $random, workers => 1, options => [ @types, 'live_window=0', @$setting ]);
        my $http = $of->connect;
        my ($asked, $count, $parts, $wrong) = (0, 0, 0, '');
        while (!$wrong && $asked < 1500 * $rounds) {
            $asked++;
            my $target = url('/api/data', random_query(pick(@series)));
            my $whole = $http->get($target);
            last if $whole->{error} && ($wrong = "$target: $whole->{error}");
            next if $whole->{status} != 200;
            $count++;
            my $n = length $whole->{body};
            for (1 .. 4) {
                my $first = chance(0.1) ? '' : chance(0.3) ? $n - 1 - int rand($n < 300 ? $n : 300) : int rand $n;
                my $last = $first eq '' ? int rand $n + 5 : chance(0.2) ? '' : chance(0.5) ? $first + int rand 40 : $first + int rand $n;
                my $r = $http->get($target, Range => "bytes=$first-$last", 'If-Range' => $whole->{headers}{etag});
                $wrong ||= wrong_part($r, part($whole->{body}, $first, $last), $whole);
                $wrong = "$target\nbytes=$first-$last: $wrong" if $wrong;
                last if $wrong;
                $parts++;
            }
            is_status($http->get($target, 'If-None-Match' => $whole->{headers}{etag}), 304, $target) if !$wrong && $count % 100 == 0;
        }
        is($wrong, '', "@$setting: $parts parts of $count answers to $asked queries") or diag "repeat with TICKD_SEED=$seed";
        cmp_ok($count, '>', $asked / 3, 'of most') if !$wrong;
        $of->stop_ok;
    }
};

my $big = scratch();
big_day("$big", 'coinbase/BIG/MD', '2025-01-01', 30, 'price', 'volume');
my %big = (symbol => 'BIG', columns => 'time,price,volume', start => '2025-01-01', end => '2025-01-01');

subtest 'downloads that are taken up again' => sub {
    my $of = Tickd->start(data => $big, workers => 2);
    for my $query ([], [ max_points => 700_000 ], [ start => midnight('2025-01-01') + 1234, end => midnight('2025-01-01') + 70_000 ]) {
        my $target = target(%big, @$query);
        my $whole = $of->connect(undef, timeout => deadline(60))->get($target);
        my ($n, $tag, $sum) = (length $whole->{body}, $whole->{headers}{etag}, sha256_hex($whole->{body}));
        for my $round (1 .. 3) {
            my ($have, $breaks) = ('', 0);
            while (length $have < $n) {
                my $http = $of->connect(undef, timeout => deadline(30));
                my $from = length $have;
                $http->send("GET $target&framing=length HTTP/1.1\r\nHost: a\r\n" . ($from ? "Range: bytes=$from-\r\nIf-Range: $tag\r\n" : '') . "\r\n");
                my $head = $http->_head(time + deadline(10));
                last if $head->{error} || $head->{status} != ($from ? 206 : 200);
                last if $from && $head->{headers}{'content-range'} ne sprintf 'bytes %d-%d/%d', $from, $n - 1, $n;
                my $stop = ++$breaks < 6 ? 1 + int rand($n / 3) : $n;
                $stop = $n - $from if $stop > $n - $from;
                $http->_need($stop, time + deadline(30)) or last;
                $have .= substr $http->{buffer}, 0, $stop;
                $http->reset;
            }
            is(sha256_hex($have), $sum, "@$query: $n bytes in $breaks pieces");
        }
    }
    # A large part in the middle, and small ones.
    my $target = target(%big);
    my $whole = $of->connect(undef, timeout => deadline(60))->get($target);
    my $http = $of->connect(undef, timeout => deadline(60));
    for (1 .. 40) {
        my $first = int rand length $whole->{body};
        my $last = $first + int rand pick(10, 1000, 100_000, 3_000_000, 30_000_000);
        my $wrong = wrong_part($http->get($target, Range => "bytes=$first-$last"), part($whole->{body}, $first, $last), $whole) or next;
        fail("bytes=$first-$last: $wrong");
    }
    SKIP: {
        my $curl = run_command(5, 'curl', '--version');
        $curl->{status} eq '0' or skip 'no curl', 4;
        my $there = scratch();
        my $url = 'http://127.0.0.1:' . $of->port . $target;
        write_file("$there/part", substr $whole->{body}, 0, 12_345_677);
        my $run = run_command(60, 'curl', '-sSf', '-C', '-', '-o', "$there/part", '-w', '%{http_code}', $url);
        is($run->{out}, 206, 'curl -C -: a part') or diag $run->{err};
        ok(read_file("$there/part") eq $whole->{body}, 'curl -C -: the same bytes');
        $run = run_command(60, 'curl', '-sSf', '--etag-save', "$there/etag", '-o', "$there/whole", '-w', '%{http_code}', $url);
        $run = run_command(60, 'curl', '-sSf', '--etag-compare', "$there/etag", '-o', "$there/again", '-w', '%{http_code}', $url);
        is($run->{out}, 304, 'curl --etag-compare');
        ok(read_file("$there/whole") eq $whole->{body}, 'curl: the whole');
    }
    $of->stop_ok;
};

subtest 'closed' => sub {
    my $closed = scratch();
    my $today = int(time / 86400);
    $today++ if time % 86400 > 86300; # not while the day ends
    my $day = sub ($back, %opt) {
        write_day("$closed", 'coinbase/C/MD', iso_of($today - $back), { time => [ map { ($today - $back) * 86400 + 3600 * $_ } 0 .. 20 ], price => [ 0 .. 20 ] }, %opt);
    };
    $day->($_) for 0, 1, 2, 3, 4, 6, 7;
    my $of = Tickd->start(data => $closed, workers => 1, options => [ 'live_grace=0', 'closed_cache_control=public, max-age=60, immutable' ]);
    my $control = sub ($from, $to, @more) {
        my $r = $of->get(target(symbol => 'C', columns => 'time', start => iso_of($today - $from), end => iso_of($today - $to), @more));
        return $r->{headers}{'cache-control'} // 'none';
    };
    my $yes = 'public, max-age=60, immutable';
    is($control->(0, 0), 'no-cache', 'today');
    is($control->(1, 1), 'no-cache', 'yesterday: today is next to it');
    is($control->(2, 2), $yes, 'the day before: a full day lies between');
    is($control->(2, 2, end => ($today - 1) * 86400 - 1), $yes, 'to its last second');
    is($control->(2, 2, end => ($today - 1) * 86400), 'no-cache', 'one second more');
    is($control->(4, 2), $yes, 'several days');
    is($control->(7, 2), 'no-cache', 'one between them is absent');
    is($control->(7, 6), $yes, 'none is absent between these');
    is($control->(5, 2), $yes, 'one before the first row is absent');
    is($control->(7, 5), $yes, 'or behind the last one');
    is($control->(30, 2, start => 0), 'no-cache', 'from the beginning of time, with a hole');
    is($control->(7, 2, tail => 30), $yes, 'the rows sent count');
    is($control->(7, 2, limit => 1), $yes, 'the rows sent count');
    is($control->(5, 5), 'no-cache', 'no row');
    is($control->(4, 2, max_points => 2), $yes, 'thinned');
    # A day whose files have just changed is live, and so is an answer next to it.
    $day->(3, mtime => 'now');
    is($control->(3, 3), 'no-cache', 'a day that changed lately');
    is($control->(4, 4), 'no-cache', 'the day before that');
    is($control->(7, 6), $yes, 'not one that is far from it');
    $day->(3);
    is($control->(4, 4), $yes, 'closed again');
    my $tag = $of->get(target(symbol => 'C', columns => 'time', start => iso_of($today - 4), end => iso_of($today - 4)));
    my $r = $of->get(target(symbol => 'C', columns => 'time', start => iso_of($today - 4), end => iso_of($today - 4)), 'If-None-Match' => '*');
    is_status($r, 304, 'a 304');
    is($r->{headers}{'cache-control'}, $yes, 'says the same');
    $r = $of->get(target(symbol => 'C', columns => 'time', start => iso_of($today - 4), end => iso_of($today - 4)), Range => 'bytes=0-1');
    is($r->{headers}{'cache-control'}, $yes, 'and a 206');
    $of->stop_ok;

    my $graceful = Tickd->start(data => $closed, workers => 1, options => ['live_grace=24h']);
    $of = $graceful;
    is($control->(2, 2), 'no-cache', 'in the time of grace yesterday is live');
    is($control->(3, 3), 'public, max-age=3600', 'and a full day lies before it');
    $graceful->stop_ok;
    for my $bad ('', "a\nb", ' x', 'x ', 'x' x 257) {
        my $run = run_tickd(10, '-t', '-d', "$closed", '-o', "closed_cache_control=$bad");
        isnt($run->{status}, '0', 'closed_cache_control=' . show(substr $bad, 0, 20) . ' is refused');
    }
};

subtest 'live days' => sub {
    my $live = scratch();
    my $iso = '2025-01-10';
    my $from = midnight($iso);
    my @row = 0 .. 4999;
    my %columns = (time => [ map { $from + $_ } @row ], price => [ map { $_ / 4 } @row ], id => [ @row ]);
    write_day("$live", 'coinbase/L/MD', $iso, \%columns, mtime => 'now');
    my $of = Tickd->start(data => $live, workers => 2);
    my $ask = sub (@more) { return target(symbol => 'L', columns => 'price,id', start => $from, end => $from + 3999, @more) };
    my %query = (whole => $ask->(), 'every third row' => $ask->(max_points => 1400), 'the last ones' => $ask->(tail => 3), 'the first ones' => $ask->(limit => 3));
    my %tag = map { $_ => tag_of($query{$_}, $of) } keys %query;
    my $open = tag_of($ask->(end => $from + 9999), $of);
    my $same = sub ($name) {
        is(tag_of($query{$_}, $of), $tag{$_}, "$name: $_") for sort keys %query;
    };
    is($of->get($query{whole})->{headers}{'cache-control'}, 'no-cache', 'no-cache');
    append_day("$live", 'coinbase/L/MD', $iso, { price => [ 1 .. 500 ], id => [ 5000 .. 5499 ], time => [ map { $from + $_ } 5000 .. 5499 ] }, mtime => 'now');
    $same->('it grew behind the range');
    isnt(tag_of($ask->(end => $from + 9999), $of), $open, 'a range that is still open has another tag');
    my $r = $of->get($query{whole}, 'If-None-Match' => $tag{whole});
    is_status($r, 304, 'a 304 of a live day');
    # Replaced by the same bytes, by others; cut off and written anew.
    my $price = "$live/coinbase/L/MD/" . file_of('price', day_of($iso));
    my $bytes = read_file($price);
    write_file("$price.new", $bytes);
    rename "$price.new", $price or die $!;
    $same->('replaced by a copy');
    my $other = $bytes;
    substr($other, 4 * 3998, 4) = 'abcd';
    write_file("$price.new", $other);
    rename "$price.new", $price or die $!;
    isnt(tag_of($query{whole}, $of), $tag{whole}, 'another file: another tag');
    is(tag_of($query{'the first ones'}, $of), $tag{'the first ones'}, 'but not where the bytes are the same');
    truncate $price, 0 or die $!;
    write_file($price, $bytes);
    $same->('cut off and written as it was');
    truncate $price, 0 or die $!;
    write_file($price, $other);
    isnt(tag_of($query{whole}, $of), $tag{whole}, 'cut off and written anew: another tag');
    # Late rows: in file order, picked.
    append_day("$live", 'coinbase/L/MD', $iso, { price => [ 7 ], id => [ 7 ], time => [ $from + 5 ] }, mtime => 'now');
    my $picked = tag_of($query{whole}, $of);
    isnt($picked, $tag{whole}, 'a late row changes it');
    append_day("$live", 'coinbase/L/MD', $iso, { price => [ 7 ], id => [ 7 ], time => [ $from + 6000 ] }, mtime => 'now');
    is(tag_of($query{whole}, $of), $picked, 'one outside the range does not');
    my $whole = $of->get($query{whole});
    is(wrong_part($of->get($query{whole}, Range => "bytes=5000-5010", 'If-Range' => $picked), part($whole->{body}, 5000, 5010), $whole), '', 'a part of picked rows');
    utime OLD, OLD, glob "$live/coinbase/L/MD/*";
    isnt(tag_of($query{whole}, $of), $picked, 'when it is closed, size and time count');
    $of->stop_ok;
};

subtest 'closed days that are replaced, and replicas' => sub {
    my $copy = scratch();
    is(run_command(20, 'cp', '-Rp', "$data/coinbase", "$copy/")->{status}, '0', 'cp -p');
    my $of = Tickd->start(data => $copy, workers => 1);
    for my $query (target(), target(end => '2025-01-07'), target(max_points => 7), target(tail => 9), target(start => '2024-01-01', end => '2024-01-01')) {
        my ($a, $b) = ($server->get($query)->{headers}, $of->get($query)->{headers});
        is($b->{etag}, $a->{etag}, 'replicas agree');
        is($b->{'last-modified'}, $a->{'last-modified'}, 'on the date, too') if exists $a->{'last-modified'};
    }
    my $path = "$copy/coinbase/BTC-USD/MD/" . file_of('price', day_of('2025-01-02'));
    my $bytes = read_file($path);
    my $tag = tag_of(target(), $of);
    my $other = tag_of(target(end => '2025-01-01'), $of);
    write_file("$path.new", scalar reverse($bytes), OLD + 1);
    rename "$path.new", $path or die $!;
    isnt(tag_of(target(), $of), $tag, 'a replaced file changes the tag');
    is(tag_of(target(end => '2025-01-01'), $of), $other, 'not that of other days');
    write_file("$path.new", $bytes, OLD);
    rename "$path.new", $path or die $!;
    is(tag_of(target(), $of), $tag, 'the old one has the old tag, whatever its inode');
    $of->stop_ok;
};

$server->stop_ok;
done_testing;
