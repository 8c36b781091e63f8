#!/usr/bin/perl
# The engine of the event loop: which is taken, and what becomes of a system that has no io_uring.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample);

my $data = scratch();
sample("$data");
my $query = '/api/data?symbol=BTC-USD&type=MD&columns=time,price&start=2025-01-01&end=2025-01-07';

my $refuse = 'strace -f -qq -o /dev/null -e trace=io_uring_setup -e inject=io_uring_setup:error=EPERM';

# serves(OPTION ...): the log of a server that answers.
sub serves {
    my (@options) = @_;
    my $server = Tickd->start(data => "$data", workers => 1, options => \@options);
    is($server->get($query)->{status}, 200, "it serves (@options)");
    # A tracer keeps signals for itself.
    kill 'TERM', ($ENV{TICKD_WRAPPER} // '') eq $refuse ? $server->workers : $server->{pid};
    ok(wait_for(10, sub { $server->gone }) && $server->{status} == 0, "it stops (@options)");
    return $server->log_text;
}

unlike(serves('engine=epoll'), qr/io_uring/, 'epoll: no word of io_uring');

SKIP: {
    skip 'a wrapper is in the way', 3 if $ENV{TICKD_WRAPPER};
    skip 'a tracer is in the way of the leak checker', 3 if sanitized();
    skip 'no strace that can refuse system calls', 3 if system("$refuse true >/dev/null 2>&1") != 0;
    skip 'built without io_uring', 3 if run_tickd(10, '-f', '-d', "$data", '-l', '127.0.0.1:99999', '-o', 'engine=io_uring')->{err} =~ /left out/;
    local $ENV{TICKD_WRAPPER} = $refuse;
    my $log = serves('engine=auto');
    is(scalar(() = $log =~ /epoll, since io_uring cannot be used here/g), 1, 'auto, where io_uring is forbidden: a line about it, and epoll');
    my $run = run_tickd(20, '-f', '-d', "$data", '-o', 'admin_listen=off', '-l', '127.0.0.1:0', '-o', 'engine=io_uring');
    is($run->{status}, 2, 'io_uring, where it is forbidden: exit code 2');
    like($run->{err}, qr/\A[^\n]*io_uring cannot be used here[^\n]*\n\z/, 'and a line that says so');
}

done_testing;
