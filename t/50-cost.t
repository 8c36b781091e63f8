#!/usr/bin/perl
# What a small answer from a warm day costs: the loop's wait, one receive, one send, an lseek for each file sent, and
# no allocation. Of queries that are asked again rows picked by a step, and few rows, are kept: no file is sent then.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample midnight read_file write_day write_file);
use Tickd::Http qw(url);
use Tickd::Oracle;
use Tickd::Trace qw(traceable traced);

my $WARM = 200;     # requests whose system calls are counted
my $COUNTED = 1000; # ... and allocations
my $FEW = 4096;     # bytes of rows that are kept, beside the line

my $data = scratch();
sample("$data");
my @row = 0 .. 8999;
write_day("$data", 'coinbase/MORE/MD', '2025-01-02', { time => [ map { midnight('2025-01-02') + 2 * $_ } @row ], price => [ @row ] });
my $oracle = Tickd::Oracle->new(data => "$data");
my $from = midnight('2025-01-02') + 36000;

sub query (%change) {
    my %query = (symbol => 'BTC-USD', type => 'MD', columns => 'time,price', start => $from + 100, end => $from + 1099, %change);
    return { files => scalar(split /,/, $query{columns}), picked => defined $query{max_points}, query => [ %query ], target => url('/api/data', map { $_ => $query{$_} } sort keys %query) };
}

my %asked = (
    'one column' => query(columns => 'price'),
    'two columns' => query(),
    'five columns, by date' => query(columns => 'time,nanos,price,volume,id', start => '2025-01-02', end => '2025-01-02'),
    'nanoseconds' => query(columns => 'price', start => '2025-01-02T10:02:00.5Z', end => '2025-01-02T10:10:00.25Z'),
    'the last rows' => query(columns => 'id', tail => 10),
    'every third row' => query(columns => 'id', max_points => 34),
    'every third row, 24 KB' => query(symbol => 'MORE', max_points => 3000, start => '2025-01-02', end => '2025-01-02'),
    '3000 rows, 24 KB' => query(symbol => 'MORE', limit => 3000, start => '2025-01-02', end => '2025-01-02'),
    'framed by its length' => query(framing => 'length'),
);

# ask(CONNECTION, ASKED, TIMES): how many answers are not right.
sub ask ($http, $asked, $times) {
    $asked->{right} //= $oracle->answer(@{ $asked->{query} });
    my $wrong = 0;
    for (1 .. $times) {
        $wrong++ if Tickd::wrong_answer($http->get($asked->{target}), $asked->{right});
    }
    return $wrong;
}

# calls(LINES): {name => how often} between the two answers that are a 404: these mark where to begin and to end.
sub calls (@lines) {
    my ($marks, %calls) = (0);
    for my $line (@lines) {
        $marks++ if $line =~ m{\bsendmsg\(.*"HTTP/1\.1 404 };
        next if $marks != 1 || $line =~ m{"HTTP/1\.1 404 };
        # A call that another thread interrupted in the text stands there twice.
        $calls{$1}++ if $line =~ /\A\d+\s+(\w+)\(/;
        $calls{"signal: $line"}++ if $line =~ /\A\d+\s+---/;
    }
    return \%calls if $marks == 2;
    diag "$marks marks in ", scalar @lines, ' lines of strace';
    return undef;
}

for my $kept (0, 1) { subtest 'system calls' . ($kept ? ', asked again' : '') => sub {
    plan skip_all => 'a wrapper makes calls of its own' if $ENV{TICKD_WRAPPER};
    plan skip_all => 'a sanitizer makes calls of its own' if sanitized();
    plan skip_all => 'no strace that may trace a process' if !traceable();
    my $server = Tickd->start(data => "$data", workers => 1, options => [ 'revalidate=1h', $kept ? () : 'answer_cache=0' ]);
    my ($worker) = $server->workers;
    for my $name (sort keys %asked) {
        my $http = $server->connect(undef, timeout => deadline(30));
        is(ask($http, $asked{$name}, 5), 0, "$name: right while it becomes warm");
        my ($right, $picked) = $asked{$name}->@{qw(right picked)};
        my $files = $kept && ($picked || length($right->{body}) - length($right->{line}) <= $FEW) ? 0 : $asked{$name}{files};
        my $wrong = 0;
        my $calls = calls(traced($worker, sub {
            $http->get('/nowhere');
            $wrong = ask($http, $asked{$name}, $WARM);
            $http->get('/nowhere');
        }));
        is($wrong, 0, "$name: $WARM right answers") or next;
        next if !ok($calls, "$name: traced");
        # The second mark had a wait and a receive, too.
        my %least = ($calls->{io_uring_enter} ? (io_uring_enter => $WARM + 1) : (epoll_wait => $WARM + 1, recvfrom => $WARM + 1),
            sendmsg => $WARM, $files ? (lseek => $WARM * $files) : ());
        # On a busy machine helpers come late with what they were asked for before, and the tracer wakes the worker without
        # cause. No request costs that: it comes for one in twenty at most.
        for my $call (grep { !/\Asignal/ } keys %$calls) {
            my $over = $calls->{$call} - ($least{$call} // 0);
            next if $over <= 0 || $over > $WARM / 20;
            note "$name: $call $over times beside the requests";
            $calls->{$call} -= $over;
            delete $calls->{$call} if !$calls->{$call};
        }
        is_deeply($calls, \%least, "$name: each costs a wait, a receive, a send and an lseek of $files files")
            or diag explain $calls;
        note "$name: ", join ', ', map { sprintf '%s %.3f', $_, $calls->{$_} / $WARM } sort keys %$calls;
    }
    $server->stop_ok;
} }

for my $kept (0, 1) { subtest 'allocations' . ($kept ? ', asked again' : '') => sub {
    plan skip_all => 'the allocator is that of a wrapper' if $ENV{TICKD_WRAPPER};
    plan skip_all => 'the allocator is that of a sanitizer' if sanitized();
    my $dir = scratch();
    write_file("$dir/count", pack 'Q', 0);
    local $ENV{TICKD_ALLOCATIONS} = "$dir/count";
    my $server = Tickd->start(data => "$data", workers => 1, options => [ 'revalidate=1h', $kept ? () : 'answer_cache=0' ], program => 't/tickd_counted');
    my $count = sub { return unpack 'Q', read_file("$dir/count") };
    my $at_start = $count->();
    cmp_ok($at_start, '>', 10, "what the server allocates is counted: $at_start times before the first request");
    my $http = $server->connect(undef, timeout => deadline(30));
    for my $name (sort keys %asked) {
        is(ask($http, $asked{$name}, 5), 0, "$name: right while it becomes warm");
        # Helpers may still be at what the first requests left to them.
        my ($before, $since) = ($count->(), Time::HiRes::time());
        wait_for(10, sub {
            my $now = $count->();
            ($before, $since) = ($now, Time::HiRes::time()) if $now != $before;
            return Time::HiRes::time() - $since > 0.05;
        });
        is(ask($http, $asked{$name}, $COUNTED), 0, "$name: $COUNTED right answers");
        is($count->() - $before, 0, "$name: without an allocation");
    }
    cmp_ok($count->(), '>', $at_start, 'the first ones were counted');
    $server->stop_ok;
} }

done_testing;
