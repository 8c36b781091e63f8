#!/usr/bin/perl
# Caches in front of tickd see files: nginx and varnish keep what is closed, ask again for what is not, and give parts.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_day append_day big_day write_file read_file midnight iso_of day_of file_of OLD);
use Tickd::Http qw(url show);
use Tickd::Random qw(seed pick chance);

note 'TICKD_SEED=' . seed();
my $data = scratch();
sample("$data");
big_day("$data", 'coinbase/BIG/MD', '2025-01-01', 4, 'price');
big_day("$data", 'coinbase/LONG/MD', '2025-01-01', 30, 'price');
my $today = iso_of(int time / 86400);
my $from = midnight($today);
my $rows = 0;

sub grow ($count) {
    append_day("$data", 'coinbase/LIVE/MD', $today, { map { $_ => [ map { $from + $_ } $rows .. $rows + $count - 1 ] } qw(id time) }, mtime => 'now');
    $rows += $count;
    return;
}

grow(3000);
my $server = Tickd->start(data => "$data", workers => 2);

sub target (%query) { return url('/api/data', type => 'MD', map { $_ => $query{$_} } sort keys %query) }

my %closed = (symbol => 'BTC-USD', columns => 'time,price,id', start => '2025-01-01', end => '2025-01-02');
my %big = (symbol => 'BIG', columns => 'price,time', start => '2025-01-01', end => '2025-01-01');
my %live = (symbol => 'LIVE', columns => 'id,time', start => $today, end => $today);

# proxy(PROGRAM, COMMAND, DIR): started, and answering on the socket DIR/http; undef if it does not.
sub proxy ($command, $dir) {
    my $proxy = bless { pid => Tickd::child($command, "$dir/log", "$dir/log"), log => "$dir/log", socket => "$dir/http" }, 'Tickd';
    $proxy->track;
    return $proxy if wait_for(20, sub { my $http = client($proxy); ($http && $http->get('/health')->{status} == 200) || $proxy->gone }) && !$proxy->gone;
    $proxy->dump_log;
    $proxy->stop;
    fail("$command->[0] answers");
    return undef;
}

sub client ($proxy) { return Tickd::Http->connect(path => $proxy->{socket}, timeout => deadline(20)) }

# Where Debian has it.
sub program ($name) { return (grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}), '/usr/sbin')[0] }

# same(RESPONSE, WHOLE, NAME): what an answer from a cache has of the server's own.
sub same ($r, $whole, $name) {
    is($r->{error} // $r->{status}, 200, "$name: 200");
    ok($r->{body} eq $whole->{body}, "$name: the same bytes");
    is($r->{headers}{$_}, $whole->{headers}{$_}, "$name: the same $_") for qw(etag last-modified cache-control content-type access-control-allow-origin);
    return;
}

# Of what the cache has: conditions, and parts.
sub kept ($proxy, $target, $name) {
    my $whole = $server->get($target);
    my ($tag, $n) = ($whole->{headers}{etag}, length $whole->{body});
    my $http = client($proxy);
    is($http->get($target, 'If-None-Match' => $tag)->{status}, 304, "$name: a 304 from the cache");
    is($http->get($target, 'If-None-Match' => '"other"')->{status}, 200, "$name: a 200 for another tag");
    is($http->get($target, 'If-Modified-Since' => $whole->{headers}{'last-modified'})->{status}, 304, "$name: a 304 for the date");
    my $wrong = '';
    for (1 .. 20) {
        my $first = int rand $n;
        my $last = $first + int rand pick(10, 1000, $n);
        my $r = $http->get($target, Range => "bytes=$first-$last", chance(0.5) ? ('If-Range' => $tag) : ());
        $last = $n - 1 if $last >= $n;
        $wrong ||= "bytes=$first-$last: " . ($r->{error} // "status $r->{status}")
            if $r->{error} || $r->{status} != 206 || ($r->{headers}{'content-range'} // '') ne "bytes $first-$last/$n" || $r->{body} ne substr $whole->{body}, $first, $last - $first + 1;
    }
    is($wrong, '', "$name: parts from the cache");
    same($http->get($target, Range => 'bytes=0-9', 'If-Range' => '"other"'), $whole, "$name: If-Range with another tag");
    my $head = $http->request('HEAD', $target);
    is($head->{status}, 200, "$name: HEAD");
    is($head->{headers}{'content-length'}, $n, "$name: HEAD: Content-Length");
    is($head->{headers}{etag}, $tag, "$name: HEAD: ETag");
    return;
}

# missed_then_hit(PROXY, FRAMING ...): what is asked for the first time is fetched, then kept, the same both times; framed in
# these ways the proxy gives parts of it, too.
sub missed_then_hit ($proxy, @in_parts) {
    for my $framing (qw(chunked length)) {
        for my $query (\%closed, \%big) {
            my $target = target(%$query, framing => $framing);
            my $name = "$query->{symbol}, $framing";
            my $whole = $server->get($target);
            for my $expected (qw(MISS HIT)) {
                my $r = client($proxy)->get($target);
                is($r->{headers}{'x-cache'}, $expected, "$name: $expected");
                same($r, $whole, "$name: $expected");
            }
            kept($proxy, $target, $name) if grep { $_ eq $framing } @in_parts;
        }
    }
    return;
}

subtest 'nginx' => sub {
    my $nginx = program('nginx') or plan skip_all => 'no nginx';
    my $dir = scratch();
    my $user = $> == 0 ? "user root;\n" : '';
    write_file("$dir/conf", <<"END");
daemon off;
master_process off;
${user}pid $dir/pid;
error_log $dir/log warn;
events { worker_connections 64; }
http {
    access_log off;
    @{[ map { "${_}_temp_path $dir/$_;" } qw(client_body proxy fastcgi uwsgi scgi) ]}
    proxy_cache_path $dir/cache keys_zone=ticks:1m;
    proxy_http_version 1.1;
    proxy_cache ticks;
    proxy_cache_revalidate on;
    add_header X-Cache \$upstream_cache_status always;
    server {
        listen unix:$dir/http;
        location / {
            proxy_pass http://127.0.0.1:${\$server->port};
        }
        # Even what is not closed is kept for a moment, and asked for again then.
        location /moment/ {
            proxy_ignore_headers Cache-Control;
            proxy_cache_valid 200 1s;
            proxy_pass http://127.0.0.1:${\$server->port}/;
        }
        # So slowly that an answer is under way for a while.
        location /slowly/ {
            proxy_limit_rate 8m;
            proxy_pass http://127.0.0.1:${\$server->port}/;
        }
        # In slices, each a request for a range.
        location /slices/ {
            slice 100k;
            proxy_cache_key \$uri\$is_args\$args\$slice_range;
            proxy_set_header Range \$slice_range;
            proxy_pass http://127.0.0.1:${\$server->port}/;
        }
    }
}
END
    my $proxy = proxy([ $nginx, '-p', "$dir/", '-e', "$dir/log", '-c', "$dir/conf" ], $dir) // return;
    my $get = sub (@request) { return client($proxy)->get(@request) };
    # nginx gives parts only of what it got with its length.
    missed_then_hit($proxy, qw(length));
    for my $case ([ 'a hole', target(%closed, end => '2025-01-04') ], [ 'today', target(%live) ], [ 'an error', target(%closed, columns => 'nope') ]) {
        my ($name, $target) = @$case;
        $get->($target);
        is($get->($target)->{headers}{'x-cache'}, 'MISS', "$name: is not kept");
    }
    my $moment = '/moment' . target(%live);
    my $before = $get->($moment);
    my $r;
    ok(wait_for(20, sub { $r = $get->($moment); $r->{headers}{'x-cache'} eq 'REVALIDATED' }), 'today, after a moment: a 304 of the server is enough');
    ok($r->{body} eq $before->{body}, 'today: the same bytes');
    grow(500);
    ok(wait_for(20, sub { $r = $get->($moment); $r->{body} ne $before->{body} }), 'today has grown: new bytes');
    same($r, $server->get(target(%live)), 'today has grown');
    for my $query (\%big, { %big, framing => 'length' }) {
        my $target = '/slices' . target(%$query);
        my $whole = $server->get(target(%$query));
        my $n = length $whole->{body};
        is($get->($target, Range => 'bytes=123456-345678')->{body}, substr($whole->{body}, 123456, 345678 - 123456 + 1), 'slices: a part');
        $r = $get->($target);
        ok(!$r->{error} && $r->{body} eq $whole->{body}, 'slices: all of them') or diag $r->{error};
        is($r->{headers}{'x-cache'}, 'MISS', 'slices: the first one was not there yet');
        kept_slices($proxy, $target, $whole);
    }
    # An answer that ends short, because its file is cut off, is not kept.
    my $path = "$data/coinbase/LONG/MD/" . file_of('price', day_of('2025-01-01'));
    my $bytes = read_file($path);
    for my $framing (qw(chunked length)) {
        my $target = target(%big, symbol => 'LONG', framing => $framing);
        my $http = client($proxy);
        $http->send("GET /slowly$target HTTP/1.1\r\nHost: a\r\n\r\n");
        ok($http->_need(1, time + deadline(20)), "$framing: an answer begins");
        truncate $path, 0 or die $!;
        like($http->response->{error} // 'whole', qr/short|of \d+ bytes|ends before/, "$framing: and ends short");
        write_file("$path.new", $bytes, OLD);
        rename "$path.new", $path or die $!;
        $r = $get->($target);
        is($r->{headers}{'x-cache'}, 'MISS', "$framing: it is not kept");
        same($r, $server->get($target), "$framing: the next one");
    }
    $proxy->stop;
};

sub kept_slices ($proxy, $target, $whole) {
    my $r = client($proxy)->get($target);
    is($r->{headers}{'x-cache'}, 'HIT', 'slices: now it is');
    ok(!$r->{error} && $r->{body} eq $whole->{body}, 'slices: the same bytes') or diag $r->{error};
    return;
}

subtest 'varnish' => sub {
    my $varnishd = program('varnishd') or plan skip_all => 'no varnish';
    my $dir = scratch();
    write_file("$dir/vcl", <<"END");
vcl 4.1;
backend tickd { .host = "127.0.0.1"; .port = "${\$server->port}"; }
sub vcl_backend_response {
    # What is not closed is kept as well, but asked for again after a moment (with none, it would be forgotten).
    set beresp.http.X-Asked = "200";
    if (beresp.was_304) {
        set beresp.http.X-Asked = "304";
    }
    if (beresp.status == 200 && beresp.http.Cache-Control == "no-cache") {
        set beresp.ttl = 1ms;
        set beresp.grace = 0s;
        set beresp.keep = 1h;
        return (deliver);
    }
}
sub vcl_deliver {
    set resp.http.X-Cache = "MISS";
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
    }
}
END
    my $proxy = proxy([ $varnishd, '-F', '-j', 'none', '-n', "$dir/work", '-a', "$dir/http", '-s', 'malloc,64m', '-f', "$dir/vcl" ], $dir) // return;
    my $get = sub (@request) { return client($proxy)->get(@request) };
    missed_then_hit($proxy, qw(chunked length));
    # It fetches the whole for a part, or for a HEAD; with its length known, the client learns it at once.
    my $fresh = target(%big, limit => 200_000, framing => 'length');
    my $whole = $server->get($fresh);
    my $r = $get->($fresh, Range => 'bytes=1000-100999');
    is($r->{status}, 206, 'a part of what it has not');
    ok($r->{body} eq substr($whole->{body}, 1000, 100_000), 'a part of what it has not: the bytes');
    is($get->($fresh)->{headers}{'x-cache'}, 'HIT', 'then it has all of it');
    $fresh = target(%closed, limit => 5, framing => 'length');
    is(client($proxy)->request('HEAD', $fresh)->{headers}{'content-length'}, length $server->get($fresh)->{body}, 'HEAD of what it has not');
    is($get->($fresh)->{headers}{'x-cache'}, 'HIT', 'then it has that, too');
    # Asked for again, if not within a millisecond.
    for my $case ([ 'a hole', { %closed, end => '2025-01-04' } ], [ 'no rows', { %closed, start => '2024-01-01', end => '2024-01-02' } ], [ 'today', \%live ]) {
        my ($name, $query) = @$case;
        my $target = target(%$query);
        my $first = $get->($target);
        is($first->{headers}{'x-asked'}, 200, "$name: fetched");
        ok(wait_for(10, sub { $r = $get->($target); $r->{headers}{'x-asked'} eq '304' }), "$name: a 304 of the server is enough");
        same($r, $server->get($target), $name);
    }
    grow(700);
    my $before = $r->{body};
    ok(wait_for(10, sub { $r = $get->(target(%live)); $r->{body} ne $before }), 'today has grown: fetched');
    is($r->{headers}{'x-asked'}, 200, 'today has grown: a 200 of the server');
    same($r, $server->get(target(%live)), 'today has grown');
    my $past = target(%live, end => $from + 1000);
    $get->($past);
    grow(700);
    ok(wait_for(10, sub { $r = $get->($past); $r->{headers}{'x-asked'} eq '304' }), 'a past range of today is the same all the time');
    for (1, 2) {
        is_error($r = $get->(target(%closed, columns => 'nope')), 404, 'columns', 'an error comes as it is');
        is($r->{headers}{'x-cache'}, 'MISS', 'and is not kept');
    }
    $proxy->stop;
};

$server->stop_ok;
done_testing;
