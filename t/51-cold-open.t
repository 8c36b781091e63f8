#!/usr/bin/perl
# Days that nobody has opened yet, thousands at once, where few may be kept open; clients that vanish; a directory that
# never rests; a worker that is killed. Every answer is right, others do not wait for a slow disk, and no file stays open.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use POSIX ();
use Test::More;
use Tickd;
use Tickd::Data qw(write_day write_file midnight iso_of day_of file_of OLD);
use Tickd::Http qw(show);

my $SYMBOLS = 40;
my $DAYS = 50;
my $KEPT = 64;
my $first = day_of('2025-01-01');
my $data = scratch();
my $turn = 0;

# The rows of a day: as many as its numbers say, and numbers that no other day has.
sub rows_of {
    my ($symbol, $day) = @_;
    my $rows = 3 + ($symbol * 7 + $day) % 20;
    my $midnight = ($first + $day) * 86400;
    return ([ map { $midnight + 1000 * $_ } 0 .. $rows - 1 ], [ map { ($symbol * 1000 + $day) * 100 + $_ } 0 .. $rows - 1 ]);
}

for my $symbol (0 .. $SYMBOLS - 1) {
    for my $day (0 .. $DAYS - 1) {
        my ($time, $id) = rows_of($symbol, $day);
        write_day($data, "coinbase/C$symbol/MD", iso_of($first + $day), { time => $time, id => $id });
    }
}

sub target {
    my ($symbol, $day) = @_;
    my $iso = iso_of($first + $day);
    return "/api/data?symbol=C$symbol&type=MD&columns=time,id&start=$iso&end=$iso";
}

# The one right body of that.
sub right {
    my ($symbol, $day) = @_;
    my ($time, $id) = rows_of($symbol, $day);
    my $rows = @$time;
    my $line = qq({"version":1,"exchange":"coinbase","symbol":"C$symbol","type":"MD","rows_in_range":$rows,"skipped_days":[],"columns":[)
        . qq({"name":"time","type":"u32","record_size":4,"num_records":$rows,"data_length":@{[ 4 * $rows ]},"offset":0},)
        . qq({"name":"id","type":"u64","record_size":8,"num_records":$rows,"data_length":@{[ 8 * $rows ]},"offset":@{[ 4 * $rows ]}}]});
    $line .= ' ' while length($line) % 64 != 63;
    return "$line\n" . pack('V*', @$time) . pack('Q<*', @$id);
}

# What a worker has open: [sockets, day files].
sub open_files {
    my ($pid) = @_;
    opendir my $handle, "/proc/$pid/fd" or return [ -1, -1 ];
    # (One that is closed between the list and the look is not open.)
    my @links = grep { defined } map { readlink "/proc/$pid/fd/$_" } grep { /\A\d/ } readdir $handle;
    return [ scalar(grep { /\Asocket:/ } @links), scalar(grep { /\.bin\z/ } @links), scalar @links ];
}

sub ask {
    my ($http, @days) = @_;
    return $http->send(join '', map { 'GET ' . target(@$_) . " HTTP/1.1\r\nHost: localhost\r\n\r\n" } @days);
}

# check(HTTP, DAYS): how many of the answers came and were right; one that is wrong fails the test.
sub check {
    my ($http, @days) = @_;
    my $came = 0;
    for my $day (@days) {
        my $r = $http->response;
        last if $r->{error};
        $came++;
        next if $r->{status} == 200 && $r->{body} eq right(@$day);
        fail("the answer of C$day->[0], day $day->[1]");
        diag "status $r->{status}: ", show($r->{body});
        return -1;
    }
    return $came;
}

# storm(SERVER, CONNECTIONS, REQUESTS): on each so many days in turn, all on their way before the first is read.
sub storm {
    my ($server, $connections, $requests) = @_;
    my @asked;
    for my $i (0 .. $connections - 1) {
        my $http = $server->connect(undef, timeout => deadline(30));
        my @days = map { my $n = ($i * $requests + $_) * 761; [ $n % $SYMBOLS, int($n / $SYMBOLS) % $DAYS ] } 1 .. $requests;
        ask($http, @days);
        push @asked, [ $http, @days ];
    }
    return @asked;
}

subtest 'thousands of days at once' => sub {
    my $server = Tickd->start(data => $data, workers => 1, options => [ "max_mapped=$KEPT", 'revalidate=1s' ]);
    my ($worker) = $server->workers;
    $server->get('/health');
    my $listening = () = $server->addresses;
    my $before;
    ok(wait_for(10, sub { $before = open_files($worker); $before->[0] == $listening }), 'nobody is connected');
    for my $round (1 .. 2) {
        my $wrong = 0;
        for my $asked (storm($server, 100, 20)) {
            my ($http, @days) = @$asked;
            $wrong++ if check($http, @days) != @days;
            $http->close;
        }
        is($wrong, 0, "round $round: 2000 days, 20 each on 100 connections");
    }
    # Those who vanish: before an answer, in the middle, after the last.
    my $wrong = 0;
    my $n = 0;
    for my $asked (storm($server, 100, 20)) {
        my ($http, @days) = @$asked;
        my $stay = ($n++ % 4) * 7;
        $stay = @days if $stay > @days;
        $wrong++ if check($http, @days[ 0 .. $stay - 1 ]) != $stay;
        $n % 2 ? $http->reset : $http->close;
    }
    is($wrong, 0, 'clients that vanish had what they waited for');
    my $after;
    ok(wait_for(20, sub { $after = open_files($worker); $after->[0] == $before->[0] && $after->[1] <= $KEPT && $after->[2] - $after->[1] == $before->[2] }), 'no more files are open than are kept')
        or diag "sockets, day files, all: @$before before, @$after after";
    is($after->[2] - $after->[1], $before->[2], 'and nothing else');
    is(join(' ', $server->workers), $worker, 'the worker is the same');
    unlike($server->log_text, qr/error|warning/, 'nothing to complain of') or $server->dump_log;
    $server->stop_ok;
};

subtest 'a long range at once' => sub {
    my $server = Tickd->start(data => $data, workers => 1, options => [ "max_mapped=$KEPT", 'revalidate=1s' ]);
    my @https;
    for my $symbol (0 .. $SYMBOLS - 1) {
        my $http = $server->connect(undef, timeout => deadline(30));
        $http->send("GET /api/data?symbol=C$symbol&type=MD&columns=id,time&start=0&end=4294967295 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        push @https, $http;
    }
    my $wrong = 0;
    for my $symbol (0 .. $SYMBOLS - 1) {
        my @all = map { [ rows_of($symbol, $_) ] } 0 .. $DAYS - 1;
        my $r = $https[$symbol]->response;
        my $body = $r->{body} // '';
        $wrong++ if $r->{error} || substr($body, index($body, "\n") + 1) ne pack('Q<*', map { @{ $_->[1] } } @all) . pack('V*', map { @{ $_->[0] } } @all);
    }
    is($wrong, 0, "all days of $SYMBOLS symbols");
    $server->stop_ok;
};

subtest 'a worker that is killed' => sub {
    my $server = Tickd->start(data => $data, workers => 2, options => [ "max_mapped=$KEPT", 'revalidate=100ms', 'cache_entries=64', 'fence_entries=16', 'days_entries=16' ]);
    for my $round (1 .. 3) {
        my @asked = storm($server, 60, 10);
        my ($victim) = $server->workers;
        select undef, undef, undef, 0.01 * $round;
        kill 'KILL', $victim;
        my $wrong = 0;
        my @again;
        for my $asked (@asked) {
            my ($http, @days) = @$asked;
            my $came = check($http, @days);
            $wrong++ if $came < 0;
            push @again, @days[ $came .. $#days ] if $came >= 0;
            $http->close;
        }
        is($wrong, 0, "round $round: what came was right");
        ok(wait_for(20, sub { my @now = $server->workers; @now == 2 && !grep { $_ == $victim } @now }), 'there is another worker');
        # Each again, on connections that are taken by either.
        while (my @days = splice @again, 0, 10) {
            my $http = $server->connect(undef, timeout => deadline(30));
            ask($http, @days);
            $wrong++ if check($http, @days) != @days;
        }
        is($wrong, 0, 'the rest is right the second time');
    }
    $server->stop_ok;
};

subtest 'a directory that never rests' => sub {
    my $dir = "$data/coinbase/BIG/MD";
    write_day($data, 'coinbase/BIG/MD', '2025-01-01', { time => [ midnight('2025-01-01') ] });
    write_file("$dir/empty", '');
    for my $column (1 .. 20) {
        link "$dir/empty", "$dir/" . file_of("c$column", $first + $_) or die $! for 1 .. 1000;
    }
    my $parent = $$;
    my $restless = fork // die $!;
    if (!$restless) {
        while (getppid == $parent) {
            my $file = "$dir/" . file_of('new', $first + $turn++ % 1000);
            write_file($file, 'x');
            unlink $file;
            select undef, undef, undef, 0.002;
        }
        POSIX::_exit(0);
    }
    my $server = Tickd->start(data => $data, workers => 1);
    my ($slow, $quick) = map { $server->connect } 1, 2;
    my ($wrong, $overtaken) = (0, 0);
    $quick->get('/health');
    for my $try (1 .. 30) {
        $slow->send("GET /api/data?symbol=BIG&type=MD&columns=time&start=2025-01-01&end=2025-01-01 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        $quick->send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        my $health = $quick->response;
        $overtaken++ if !IO::Select->new($slow->socket)->can_read(0);
        my $r = $slow->response;
        $wrong++ if $health->{error} || $health->{status} != 200;
        $wrong++ if $r->{error} || $r->{status} != 200 || substr($r->{body}, -4) ne pack 'V', midnight('2025-01-01');
    }
    is($wrong, 0, 'answers are right');
    # One after another they would come in the order in which they were asked for, always.
    cmp_ok($overtaken, '>', 0, 'others do not wait while it is read');
    note "$overtaken of 30 times";
    kill 'KILL', $restless;
    waitpid $restless, 0;
    $server->stop_ok;
};

done_testing;
