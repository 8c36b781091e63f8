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

# ask(PATTERN, COMMAND): how many requests COMMAND(SECONDS) says by PATTERN, and its output: of a second, or of more where
# none is answered in one.
sub ask {
    my ($pattern, $command) = @_;
    for my $time (1, 4, 16, 64) {
        my $text = run($command->($time));
        my ($requests) = $text =~ $pattern;
        return ($requests // 0, $text) if $requests || $time == 64;
    }
}

SKIP: {
    skip 'wrk is not installed', 1 if !installed('wrk');
    for my $name (sort keys %size) {
        my ($requests, $text) = ask(qr/(\d+) requests in/, sub { ('wrk', '-t1', '-c32', "-d$_[0]s", $base . $size{$name}) });
        ok($requests > 0 && $text !~ /Socket errors|Non-2xx/, "wrk, $name: $requests requests") or diag $text;
    }
}

SKIP: {
    skip 'ab is not installed', 1 if !installed('ab');
    for my $name (sort keys %size) {
        my ($requests, $text) = ask(qr/^Complete requests:\s+(\d+)/m,
            sub { ('ab', '-q', '-k', '-c', '16', '-t', $_[0], '-n', '10000000', $base . $size{$name}) });
        my %figure = $text =~ /^([A-Z][\w -]*?):\s+(\d+)/mg;
        ok($requests > 0 && ($figure{'Failed requests'} // 1) == 0 && !$figure{'Write errors'} && !$figure{'Non-2xx responses'}, "ab -k, $name: $requests requests")
            or diag $text;
        is($figure{'Keep-Alive requests'}, $requests, "ab -k, $name: all over kept connections");
    }
}

is(join(' ', $server->workers), "@workers", 'the workers are the same');
$server->stop_ok;
done_testing;
