#!/usr/bin/perl
# A second of wrk and a second of ab -k without one error.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(write_day midnight);

my $data = scratch();
my $m = midnight('2025-01-01');
my @row = 0 .. 8191;
write_day($data, 'coinbase/LOAD/MD', '2025-01-01', { time => [ map { $m + $_ } @row ], price => [@row], volume => [@row] });
my $server = Tickd->start(data => $data, workers => 2);
my @workers = $server->workers;
my $base = 'http://127.0.0.1:' . $server->port . '/api/data?symbol=LOAD&type=MD&columns=time,price';
my %size = ('200 rows' => "&start=$m&end=" . ($m + 199), '4096 rows' => "&start=$m&end=" . ($m + 4095));

sub installed {
    my ($program) = @_;
    return scalar grep { -x "$_/$program" } split /:/, $ENV{PATH};
}

# run(COMMAND): its output; the URL is a word of its own, no shell reads it.
sub run {
    my (@command) = @_;
    my $pid = open my $out, '-|';
    defined $pid or die $!;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    local $/;
    my $text = <$out> // '';
    close $out;
    return $text;
}

SKIP: {
    skip 'wrk is not installed', 1 if !installed('wrk');
    for my $name (sort keys %size) {
        my $text = run('wrk', '-t1', '-c32', '-d1s', $base . $size{$name});
        my ($requests) = $text =~ /(\d+) requests in/;
        ok(($requests // 0) > 0 && $text !~ /Socket errors|Non-2xx/, "wrk, $name: " . ($requests // 'no') . ' requests') or diag $text;
    }
}

SKIP: {
    skip 'ab is not installed', 1 if !installed('ab');
    for my $name (sort keys %size) {
        my $text = run('ab', '-q', '-k', '-c', '16', '-t', '1', '-n', '10000000', $base . $size{$name});
        my %figure = $text =~ /^([A-Z][\w -]*?):\s+(\d+)/mg;
        my $requests = $figure{'Complete requests'} // 0;
        ok($requests > 0 && ($figure{'Failed requests'} // 1) == 0 && !$figure{'Write errors'} && !$figure{'Non-2xx responses'}, "ab -k, $name: $requests requests")
            or diag $text;
        is($figure{'Keep-Alive requests'}, $requests, "ab -k, $name: all over kept connections");
    }
}

is(join(' ', $server->workers), "@workers", 'the workers are the same');
$server->stop_ok;
done_testing;
