#!/usr/bin/perl
# GET /health: 200 while data can be served, 503 when not.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use JSON::PP;
use Test::More;
use Tickd;
use Tickd::Data qw(sample);

my $home = scratch();
my $data = "$home/data";
make_path($data);
sample($data);
my $server = Tickd->start(data => $data, workers => 2);
my $query = '/api/data?symbol=BTC-USD&type=MD&columns=time&start=2025-01-01&end=2025-01-07';

subtest 'healthy' => sub {
    my $r = $server->get('/health');
    is($r->{status}, 200, 'a 200');
    like($r->{headers}{'content-type'}, qr{\Aapplication/json(?:;|\z)}, 'JSON');
    like($r->{body}, qr/[^\n]\n\z/, 'ending in one newline');
    my $health = eval { decode_json($r->{body}) } // {};
    is($health->{status}, 'ok', 'status');
    my $version = run_tickd(10, '-V')->{out} =~ /\Atickd (\S+)/ ? $1 : '';
    is($health->{version}, $version, 'version is that of -V');
    is(ref $health->{features}, 'ARRAY', 'features');
    is($server->get('/health?_=1')->{status}, 200, 'a cache-buster is let through');
    is($server->connect->request('HEAD', '/health')->{status}, 200, 'HEAD');
};

subtest 'DATA goes and comes back' => sub {
    my $keep = $server->connect;
    my $before = $keep->get($query);
    is($before->{status}, 200, 'data before');
    rename $data, "$home/away" or die $!;
    my $r = $keep->get('/health');
    is_error($r, 503, undef, 'DATA is moved away: /health is 503');
    $r = $keep->get($query);
    is_error($r, 503, undef, 'and a query is 503');
    like($r->{headers}{'retry-after'} // '', qr/\A[1-9]\d*\z/, 'with Retry-After');
    unlike($r->{body}, qr/\Q$home\E/, 'and does not tell where DATA is');
    make_path($data);
    is_error($server->get('/health'), 503, undef, 'an empty directory in its place (an unmounted disk): 503');
    is_error($server->get($query), 503, undef, 'a query too');
    rmdir $data or die $!;
    rename "$home/away", $data or die $!;
    is($server->get('/health')->{status}, 200, 'it is back: 200');
    my $after = $server->get($query);
    is($after->{status}, 200, 'a query is answered again') and ok($after->{body} eq $before->{body}, 'as before');
};

$server->stop_ok;
done_testing;
