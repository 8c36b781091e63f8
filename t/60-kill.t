#!/usr/bin/perl
# Workers are killed all the time, under load: no wrong byte, no refused connection, nothing left behind.
# Then one is stopped: nobody else waits for it.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use List::Util qw(max min sum0);
use POSIX qw(WNOHANG);
use Test::More;
use Tickd;
use Tickd::Data qw(sample big_day write_day append_day midnight iso_of day_of file_of read_file write_file);
use Tickd::Http qw(url);
use Tickd::Oracle;
use Tickd::Random qw(seed pick chance);
use Time::HiRes qw(time);

plan skip_all => 'needs a worker that starts faster than it is killed' if $ENV{TICKD_WRAPPER};

my $WORKERS = 3;
my $CLIENTS = 3;
my $EVERY = 0.05;
my $ATTEMPTS = 60; # of one request, each broken off by a kill
my $rounds = $ENV{TICKD_TEST_ROUNDS} || 1;
my $duration = max(1, int(($ENV{TICKD_ENGINE} ? 5 : 20) * $rounds));
my $seed = seed();

# --- Data: a small week, a month, a large day, and a live one

my $data = scratch();
sample("$data");
big_day("$data", 'coinbase/BIG/MD', '2025-01-01', 3, 'price', 'volume');
my $first = day_of('2024-11-20');
for my $day ($first .. $first + 29) {
    my @row = 0 .. 300 + ($day * 37) % 200;
    write_day("$data", 'coinbase/MONTH/MD', iso_of($day), {
        time => [ map { $day * 86400 + 97 * $_ } @row ], price => [ map { $day % 1000 + $_ } @row ], id => [ map { $day * 1000 + $_ } @row ],
    });
}
my $oracle = Tickd::Oracle->new(data => "$data", keep => 1);
my @asked;

sub asked ($kind, @query) {
    my $right = $oracle->answer(@query);
    die "no answer to @query" if $right->{status} != 200;
    push @asked, { kind => $kind, target => url('/api/data', @query), right => $right };
    return;
}

for my $day (qw(2025-01-01 2025-01-02 2025-01-04)) {
    my $from = midnight($day) + 36000;
    asked(small => symbol => 'BTC-USD', type => 'MD', columns => 'time,nanos,id', start => $from + 10 * $_, end => $from + 10 * $_ + 300) for 3, 50, 199;
    asked(small => symbol => 'BTC-USD', type => 'MD', columns => 'price,volume', start => "${day}T10:05:00.25Z", end => "${day}T10:15:00.5Z");
}
asked(small => symbol => 'BTC-USD', type => 'MD', columns => 'id', end => '2025-01-07', tail => $_) for 1, 250;
for my $day ($first - 1, $first + 3, $first + 11, $first + 28) {
    asked(days => symbol => 'MONTH', type => 'MD', columns => 'time,id', start => iso_of($day), end => iso_of($day + $_)) for 1, 5, 29;
    asked(days => symbol => 'MONTH', type => 'MD', columns => 'id,price', start => iso_of($day), end => iso_of($day + 20), limit => 3000);
    asked(strided => symbol => 'MONTH', type => 'MD', columns => 'time,price,id', start => iso_of($day), end => iso_of($day + 25), max_points => 700);
}
asked(large => symbol => 'BIG', type => 'MD', columns => 'price', start => '2025-01-01', end => '2025-01-01');
asked(large => symbol => 'BIG', type => 'MD', columns => 'time,volume', start => '2025-01-01T05:00:00Z', end => '2025-01-01T13:00:00Z', framing => 'length');
asked(strided => symbol => 'BIG', type => 'MD', columns => 'time,price,volume', start => '2025-01-01', end => '2025-01-01', max_points => $_) for 500, 5000;
my %asked_of;
push @{ $asked_of{ $_->{kind} } }, $_ for @asked;

# The live day: row N is known from N. Its files grow by whole rows, time last.
my $today = int time / 86400;
my $live = 'coinbase/LIVE/MD';
my %live_row = (
    time => sub ($n) { return $today * 86400 + ($n >> 3) },
    price => sub ($n) { return $n % 65536 / 4 },
    id => sub ($n) { return 1_000_000_007 * $n },
);
my %live_size = (time => 4, price => 4, id => 8);
my $LIVE_MOST = 200_000;
my %live_bytes;
for my $column (keys %live_row) {
    my $type = Tickd::Data::type_of('coinbase', 'MD', $column);
    $live_bytes{$column} = Tickd::Data::pack_column($type, [ map { $live_row{$column}->($_) } 0 .. $LIVE_MOST - 1 ]);
}

sub live_rows ($column) { return int((-s "$data/$live/" . file_of($column, $today)) / $live_size{$column}) }

sub live_append ($from, $rows) {
    append_day("$data", $live, iso_of($today), { map { $_ => \substr $live_bytes{$_}, $live_size{$_} * $from, $live_size{$_} * $rows } keys %live_row }, mtime => 'now');
    return;
}

live_append(0, 100);

# --- Clients

# fault(RESPONSE): what is wrong with it if a connection that breaks off explains it not.
sub fault ($r) {
    return $r->{error} =~ /in time/ ? "nothing comes: $r->{error}"
        : $r->{error} =~ /connection (?:closed|broke)|could not send/ && (!$r->{status} || $r->{status} == 200) ? ''
        : "$r->{error}, status $r->{status}";
}

# wrong_live(RESPONSE, COLUMNS, TAIL, LEAST, MOST): what is wrong with an answer from the live day.
sub wrong_live ($r, $columns, $tail, $least, $most) {
    return "status $r->{status}: " . Tickd::Http::show($r->{body}) if $r->{status} != 200;
    my $raw = parse_raw($r->{body});
    return $raw->{error} if $raw->{error};
    my $rows = $raw->{json}{rows_in_range};
    return "$rows rows, not $least to $most" if $rows < $least || $rows > $most;
    my $from = defined $tail ? max(0, $rows - $tail) : 0;
    for my $column (@$columns) {
        my $size = $live_size{$column};
        return "$column differs" if $raw->{data}{$column} ne substr $live_bytes{$column}, $from * $size, ($rows - $from) * $size;
    }
    return '';
}

# one_query(): {target, kind, check (of a response: what is wrong with it)}.
sub one_query () {
    my $kind = pick(('small') x 6, ('days') x 3, ('strided') x 3, 'large', ('live') x 4);
    if ($kind ne 'live') {
        my $asked = pick(@{ $asked_of{$kind} });
        return { kind => $kind, target => $asked->{target}, check => sub ($r) { return Tickd::wrong_answer($r, $asked->{right}) } };
    }
    my @columns = pick([ 'time', 'id' ], [ 'price' ], [ 'time', 'price', 'id' ])->@*;
    my $tail = chance(0.7) ? pick(1, 50, 1000) : undef;
    my $target = url('/api/data', symbol => 'LIVE', type => 'MD', columns => join(',', @columns), start => iso_of($today), end => iso_of($today), tail => $tail);
    my $least = live_rows('time');
    return { kind => $kind, target => $target, check => sub ($r) {
        return wrong_live($r, \@columns, $tail, $least, max(map { live_rows($_) } keys %live_row));
    } };
}

# verify(SERVER, UNTIL, REPORT): ask and compare, in a process of its own, until the file UNTIL is there; what came of it
# goes to the file REPORT.
sub verify ($server, $until, $report) {
    my $pid = fork // die $!;
    return $pid if $pid;
    srand $seed + $$;
    my %did = (breaks => 0, refused => 0, most => 0, wrong => [], by => {}, slowest => 0);
    my $http;
    while (!-e $until && !@{ $did{wrong} }) {
        my $query = one_query();
        my ($attempt, $wrong) = (0, 'not answered');
        my $since = time;
        while ($attempt++ < $ATTEMPTS) {
            undef $http if $http && ($http->{eof} || chance(0.1));
            if (!($http //= $server->connect(undef, quietly => 1, timeout => deadline(20)))) {
                $did{refused}++;
                $did{why_refused} = "$!";
                next;
            }
            my $r = $http->get($query->{target});
            $wrong = $r->{error} ? fault($r) : $query->{check}->($r);
            if ($r->{error}) {
                undef $http;
                $did{breaks}++;
                next if !$wrong;
            }
            last;
        }
        push @{ $did{wrong} }, $attempt > $ATTEMPTS ? "$query->{target}: broken $ATTEMPTS times" : "$query->{target}: $wrong"
            if $wrong || $attempt > $ATTEMPTS;
        $did{by}{ $query->{kind} }++;
        $did{most} = max($did{most}, $attempt);
        $did{slowest} = max($did{slowest}, time - $since);
    }
    write_file($report, JSON::PP->new->encode(\%did));
    POSIX::_exit(0);
}

# writer(UNTIL): appends to the live day, in a process of its own.
sub writer ($until) {
    my $pid = fork // die $!;
    return $pid if $pid;
    my $rows = 100;
    while (!-e $until && $rows < $LIVE_MOST - 100) {
        my $more = 1 + int rand 60;
        live_append($rows, $more);
        $rows += $more;
        select undef, undef, undef, 0.01;
    }
    POSIX::_exit(0);
}

# --- What is looked at

# children(SERVER): its workers, at less cost than to look at all processes, where the kernel can tell.
sub children ($server) {
    my $list = read_file("/proc/$server->{pid}/task/$server->{pid}/children");
    return defined $list ? grep { Tickd::alive($_) } split ' ', $list : $server->workers;
}

sub descriptors ($pid) { return map { (readlink) // () } glob "/proc/$pid/fd/*" }

sub anonymous ($pid) {
    my %field = read_file("/proc/$pid/status") =~ /^(RssAnon|VmData):\s+(\d+) kB/mg;
    return \%field;
}

# settled(SERVER): all workers are there, and the log says who took whose place; waits for that.
my %killed;
sub settled ($server) {
    return wait_for(20, sub {
        my @workers = children($server);
        return 0 if @workers != $WORKERS || grep { Tickd::title($_) !~ /\Atickd: worker \d+\z/ } @workers;
        return 0 if grep { $killed{$_} } @workers;
        my %buried = map { $_ => 1 } $server->log_text =~ /\(pid (\d+)\) died/g;
        return 0 if grep { !$buried{$_} } keys %killed;
        return 1;
    });
}

sub killing ($pid) {
    die "no process to kill: $pid\n" if $pid <= 1;
    $killed{$pid} = 1;
    return kill 'KILL', $pid;
}

# everything(SERVER): how many of all queries are answered wrong, each on a connection of its own.
sub everything ($server) {
    my @wrong = grep { $_ } map { my $asked = $_; Tickd::wrong_answer($server->get($asked->{target}), $asked->{right}) } @asked;
    diag $wrong[0] if @wrong;
    return scalar @wrong;
}

# owners(CONNECTIONS): for each, the worker that has accepted it, by the inode of the socket's other end; 0: none yet.
sub owners ($server, @connections) {
    my $end = sprintf ':%04X', $server->{port};
    my %inode; # by the port of the other end
    for (split /\n/, read_file('/proc/net/tcp')) {
        my (undef, $local, $remote, @field) = split ' ';
        $inode{ hex substr $remote, -4 } = $field[6] if substr($local, -5) eq $end;
    }
    my %owner;
    for my $worker (children($server)) {
        for (glob "/proc/$worker/fd/*") {
            $owner{$1} = $worker if (readlink($_) // '') =~ /\Asocket:\[(\d+)\]/;
        }
    }
    return map { $owner{ $inode{ $_->socket->sockport } // '' } // 0 } @connections;
}

# --- The tests

my $server = Tickd->start(data => "$data", workers => $WORKERS,
    # Small tables, so that they are written to all the time.
    options => [ 'cache_entries=64', 'fence_entries=32', 'days_entries=16', 'max_mapped=64' ]);
my $wrk = (grep { -x "$_/wrk" } split /:/, $ENV{PATH}) ? 1 : 0;
is(everything($server), 0, 'all queries are answered before');
settled($server);
my $descriptors = () = descriptors($server->{pid});

subtest "a worker is killed every ${\($EVERY * 1000)} ms for $duration s" => sub {
    my $dir = scratch();
    my $until = "$dir/until";
    my $small = 'http://127.0.0.1:' . ($server->{port} //= $server->port) . $asked_of{small}[0]{target};
    my $load = $wrk ? Tickd::child([ 'wrk', '-t1', '-c12', "-d${duration}s", '--timeout', deadline(20) . 's', $small ], "$dir/wrk", "$dir/wrk") : 0;
    my @clients = map { verify($server, $until, "$dir/report$_") } 1 .. $CLIENTS;
    my $writer = writer($until);
    my $end = time + $duration;
    my ($kills, $next, $early) = (0, time);
    while (time < $end) {
        my @workers = grep { !$killed{$_} } children($server);
        if (@workers && killing(pick(@workers))) {
            $kills++;
            $early = anonymous($server->{pid}) if $kills == 20;
        }
        $next = max($next + $EVERY, time);
        select undef, undef, undef, max(0, $next - time);
    }
    write_file($until, '');
    waitpid $_, 0 for @clients, $writer;
    my @did = map { JSON::PP->new->decode(read_file("$dir/report$_") // '{"wrong":["no report"],"by":{}}') } 1 .. $CLIENTS;
    my %by;
    for my $did (@did) {
        $by{$_} += $did->{by}{$_} for keys %{ $did->{by} };
    }
    my @wrong = map { @{ $_->{wrong} } } @did;
    is(scalar @wrong, 0, 'no answer is wrong, and none is missing') or diag map { "  $_\n" } @wrong;
    is(sum0(map { $_->{refused} // 0 } @did), 0, 'no connection is refused') or diag map { $_->{why_refused} // () } @did;
    cmp_ok($kills, '>=', $duration / $EVERY / 10, "$kills workers were killed");
    ok(!(grep { !$by{$_} } qw(small days strided large live)), 'each kind of query was answered');
    note sprintf 'seed %d: %d kills, %d answers verified (%s), %d connections broke, at most %d attempts, slowest %.2f s', $seed, $kills, sum0(values %by),
        join(', ', map { "$by{$_} $_" } sort keys %by), sum0(map { $_->{breaks} // 0 } @did), max(map { $_->{most} // 0 } @did), max(map { $_->{slowest} // 0 } @did);
    SKIP: {
        skip 'wrk is not installed', 2 if !$wrk;
        ok(wait_for(60, sub { waitpid($load, WNOHANG) == $load }), 'wrk ends') or kill 'KILL', $load;
        my $text = read_file("$dir/wrk");
        my ($requests) = $text =~ /(\d+) requests in/;
        my ($refused) = $text =~ /Socket errors: connect (\d+)/;
        ok(($requests // 0) > 0 && !$refused && $text !~ /Non-2xx|timeout [1-9]/, 'wrk: ' . ($requests // 'no') . ' requests, none refused, none an error') or diag $text;
    }
    ok(settled($server), 'then all workers are there') or $server->dump_log;
    SKIP: {
        skip 'a sanitizer keeps memory for itself', 1 if sanitized();
        skip 'too few kills', 1 if !$early;
        my $late = anonymous($server->{pid});
        ok($late->{RssAnon} <= $early->{RssAnon} + 128 && $late->{VmData} <= $early->{VmData} + 256,
            "the master's memory does not grow ($early->{RssAnon}, then $late->{RssAnon} KB)") or diag explain [ $early, $late ];
    }
};

subtest 'whose connections break' => sub {
    my ($broken, $others) = (0, 0);
    for my $round (1 .. 5) {
        my @http = map { $server->connect } 1 .. 24;
        my $wrong = grep { $_->get('/health')->{status} != 200 } @http;
        my @owner = owners($server, @http);
        is($wrong + (grep { !$_ } @owner), 0, "round $round: each connection has a worker");
        my $victim = pick(@owner);
        killing($victim);
        my @bad;
        for my $i (0 .. $#http) {
            my $r = $http[$i]->get($asked_of{small}[$i % 5]{target});
            if ($owner[$i] == $victim) {
                $broken++;
                push @bad, "one of the killed worker lives" if !$r->{error} || fault($r);
            } else {
                $others++;
                my $why = Tickd::wrong_answer($r, $asked_of{small}[$i % 5]{right});
                push @bad, $why if $why;
            }
        }
        is("@bad", '', "round $round: those of the killed worker, and no others");
        settled($server);
    }
    note "$broken connections broke, $others did not";
};

subtest 'a worker is stopped' => sub {
    for my $round (1 .. $WORKERS) {
        settled($server);
        my @workers = children($server);
        my $stopped = $workers[ $round - 1 ];
        my @http = map { $server->connect } 1 .. 16;
        $_->get('/health') for @http;
        my @owner = owners($server, @http);
        kill 'STOP', $stopped;
        wait_for(10, sub { read_file("/proc/$stopped/stat") =~ /\) T / });
        my ($own) = grep { $owner[$_] == $stopped } 0 .. $#http;
        my @rest = grep { $owner[$_] && $owner[$_] != $stopped } 0 .. $#http;
        my $wrong = grep { Tickd::wrong_answer($http[$_]->get($asked_of{small}[1]{target}), $asked_of{small}[1]{right}) } @rest;
        is($wrong, 0, "round $round: " . @rest . ' open connections of others are answered');
        $http[$own]->send("GET $asked_of{small}[2]{target} HTTP/1.1\r\nHost: a\r\n\r\n") if defined $own;
        # One of the others is killed and replaced meanwhile.
        my ($victim) = grep { $_ != $stopped } @workers;
        killing($victim) if $round > 1;
        # With io_uring the kernel may have given it one connection, before any other has to come; with epoll none.
        my ($late, @bad) = (0);
        for my $asked (@asked, @asked) {
            my $r;
            for my $attempt (1 .. 3) {
                my $new = $server->connect(undef, timeout => seconds(2), quietly => 1);
                $r = $new ? $new->get($asked->{target}) : { error => 'not connected' };
                last if !$r->{error};
                my $waits = $r->{error} =~ /in time/;
                $late += $waits;
                last if !$waits && ($round == 1 || fault($r)); # else it was the victim's
            }
            my $why = Tickd::wrong_answer($r, $asked->{right});
            push @bad, $why if $why;
            last if $late > 1;
        }
        is("@bad", '', "round $round: new connections are answered");
        cmp_ok($late, '<=', ($ENV{TICKD_ENGINE} // '') eq 'epoll' ? 0 : 1, "round $round: and do not wait for it");
        kill 'CONT', $stopped;
        is(Tickd::wrong_answer($http[$own]->response, $asked_of{small}[2]{right}), '', "round $round: its own are answered when it goes on") if defined $own;
        is(everything($server), 0, "round $round: then all is answered");
    }
};

subtest 'killed before it serves' => sub {
    my ($victim) = children($server);
    for my $round (1 .. 4) {
        my %known = map { $_ => 1 } children($server), keys %killed;
        killing($victim);
        # No rest in between: it serves within milliseconds.
        my ($since, $list) = (time, "/proc/$server->{pid}/task/$server->{pid}/children");
        do {
            ($victim) = grep { !$known{$_} } -e $list ? split ' ', read_file($list) : children($server);
        } until $victim || time > $since + deadline(5);
        ok($victim, "round $round: it is replaced at once") or last;
    }
    unlike($server->log_text, qr/keeps failing/, 'the master does not take that for a failure');
    ok(settled($server), 'all workers are there');
};

subtest 'afterwards' => sub {
    # All at once, a few times over: what they were in the middle of is undone.
    for my $round (1 .. 3) {
        my @clients = map { $server->connect } 1 .. 12;
        $_->send("GET $asked_of{days}[1]{target} HTTP/1.1\r\nHost: a\r\n\r\n") for @clients;
        killing($_) for children($server);
        ok(settled($server), "round $round: all workers are killed at once, and there again");
        is(everything($server), 0, "round $round: and answer everything");
    }
    ok(settled($server), 'all workers are there');
    ok(wait_for(10, sub { $descriptors == descriptors($server->{pid}) }), "the master has as many descriptors as before: $descriptors")
        or diag join ' ', descriptors($server->{pid});
    my @dead = $server->log_text =~ /^.*\bworker \d+ \(pid (\d+)\) died of signal 9 \(Killed\)$/mg;
    is(join(' ', sort { $a <=> $b } @dead), join(' ', sort { $a <=> $b } keys %killed), 'the log has one line for each worker that was killed: ' . @dead);
    my @replaced = $server->log_text =~ /\bis replaced by process (\d+)$/mg;
    is(scalar @replaced, scalar @dead, 'and one for each that took its place');
    my @other = grep { !/died of signal 9 \(Killed\)$|is replaced by process \d+$|listening on|workers are serving|the engine is epoll/ } split /\n/, $server->log_text;
    is(join("\n", @other), '', 'and nothing else');
    my $idle = wait_for(20, sub {
        my $stats = decode_json(run_command(20, build() . '/tickstat', '--json', '-p', $server->{pid})->{out});
        my $gauges = $stats->{total}{gauges};
        return $gauges->{connections} == 0 && $gauges->{requests_active} == 0 ? $stats : 0;
    });
    ok($idle, 'no connection and no request of the dead is counted as alive');
    note "claims that were undone: $idle->{total}{counters}{sweeps}" if $idle;
};

$server->stop_ok;
done_testing;
