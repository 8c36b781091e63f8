#!/usr/bin/perl
# tickstat: the figures are right to the byte, survive the death of a worker, and are not misread from
# the memory of another version; and which server it finds.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use POSIX qw(WNOHANG);
use Test::More;
use Tickd;
use Tickd::Data qw(sample big_day file_of day_of);

my @tickstat = ((split ' ', $ENV{TICKD_WRAPPER} // ''), build() . '/tickstat');
my $home = scratch();
sample("$home");
my $server = Tickd->start(data => "$home", workers => 2);
my $query = '/api/data?symbol=BTC-USD&type=MD&columns=time&start=2025-01-01&end=2025-01-07';

sub tickstat (@args) { return run_command(20, @tickstat, @args) }

# stats(SERVER): what tickstat --json says.
sub stats ($of) {
    my $run = tickstat('--json', '-p', $of->{pid});
    return $run->{status} eq '0' ? decode_json($run->{out}) : die "tickstat: $run->{status} $run->{err}";
}

# idle(SERVER): the figures once all connections are closed and answered for.
sub idle ($of = $server) {
    my $stats;
    wait_for(20, sub {
        $stats = stats($of);
        return $stats->{total}{gauges}{connections} == 0 && $stats->{total}{gauges}{requests_active} == 0;
    }) or diag 'connections do not close';
    return $stats;
}

# ask(BYTES): what the server sends until it closes.
sub ask ($request) {
    my $http = $server->connect;
    $http->send($request);
    my $answer = $http->drain;
    $http->close;
    return $answer;
}

sub has_memfd () { return system('python3 -c "import os; os.memfd_create" >/dev/null 2>&1') == 0 }

subtest 'requests and bytes are counted exactly' => sub {
    my $before = idle()->{total}{counters};
    my %asked = (
        responses_2xx => [ 40, "GET $query HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" ],
        responses_4xx => [ 7, "GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" ],
    );
    my ($requests, $bytes) = (0, 0);
    for my $class (sort keys %asked) {
        my ($times, $request) = @{ $asked{$class} };
        for (1 .. $times) {
            $bytes += length ask($request);
            $requests++;
        }
    }
    $bytes += length ask("nonsense\r\n\r\n");
    my $pipelined = "GET $query HTTP/1.1\r\nHost: a\r\n\r\n" x 2 . $asked{responses_2xx}[1];
    $bytes += length ask($pipelined);
    ok($bytes > 48 * 100, 'there were answers');
    my $after = idle();
    my $now = $after->{total}{counters};
    my %grown = map { $_ => $now->{$_} - $before->{$_} } keys %$now;
    is($grown{requests}, 51, 'requests');
    is($grown{bytes_sent}, $bytes, 'bytes');
    is($grown{responses_2xx}, 43, 'answers with data');
    is($grown{responses_4xx}, 8, 'clients\' mistakes');
    is($grown{responses_5xx} + $grown{responses_aborted} + $grown{responses_truncated}, 0, 'nothing else');
    is($grown{connections_accepted}, 49, 'connections');

    for my $kind (qw(counters gauges)) {
        for my $name (keys %{ $after->{total}{$kind} }) {
            my $sum = $after->{past}{$kind}{$name};
            $sum += $_->{$kind}{$name} for @{ $after->{processes} };
            is($sum, $after->{total}{$kind}{$name}, "$name: the total is the sum") if $sum != $after->{total}{$kind}{$name};
        }
    }
    my $times = $after->{total}{histograms}{answer_time};
    my $answers = 0;
    $answers += $now->{"responses_${_}xx"} for 2 .. 5;
    is($times->{count}, $answers, 'every answer has its time');
    my $counted = 0;
    $counted += $_->{count} for @{ $times->{buckets} };
    is($counted, $answers, 'in a bucket');
    ok($times->{p50} <= $times->{p99}, 'quantiles are in order');
    ok((grep { defined $_->{le} && $_->{le} == 0.001 } @{ $times->{buckets} }), 'a bucket ends at a millisecond');
};

subtest 'who the processes are' => sub {
    my $stats = stats($server);
    is($stats->{master}, $server->{pid}, 'the master');
    is(join(' ', map { $_->{kind} } @{ $stats->{processes} }), 'master worker worker', 'kinds');
    is(join(' ', sort { $a <=> $b } map { $_->{pid} } grep { $_->{kind} eq 'worker' } @{ $stats->{processes} }),
        join(' ', $server->workers), 'the workers');
    is(join(' ', sort map { $_->{slot} // () } @{ $stats->{processes} }), '0 1', 'their slots');
    ok($stats->{now} >= $stats->{born}, 'born before now');
    is(stats({ pid => ($server->workers)[0] })->{master}, $server->{pid}, 'found by a worker as well');
};

subtest 'a connection too many, a client that goes' => sub {
    my $small = Tickd->start(data => "$home", workers => 1, options => [ 'max_connections=1', 'header_timeout=' . int(seconds(2)) . 's' ]);
    my $before = idle($small)->{total}{counters};
    my $first = $small->connect;
    $first->get('/health');
    is($small->get('/health')->{status}, 503, 'refused');
    $first->close;
    idle($small);
    my $slow = $small->connect;
    $slow->send("GET / HTTP/1.1\r\n");
    is($slow->response->{status}, 408, 'too slow');
    $slow->close;
    idle($small);
    my $gone = $small->connect;
    $gone->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    ok(wait_for(20, sub { stats($small)->{total}{gauges}{requests_active} == 1 }), 'a request is under way');
    $gone->reset;
    my $now = idle($small)->{total};
    is($now->{counters}{connections_refused} - $before->{connections_refused}, 1, 'one refused');
    is($now->{counters}{timeouts} - $before->{timeouts}, 1, 'one timeout');
    is($now->{counters}{responses_aborted} - $before->{responses_aborted}, 1, 'one aborted');
    $small->stop_ok;
};

subtest 'a file is cut off' => sub {
    my $data = scratch();
    big_day("$data", 'coinbase/BIG/MD', '2025-01-01', 100, 'price');
    my $cut = Tickd->start(data => "$data", workers => 1);
    my $before = idle($cut)->{total}{counters};
    my $slow = $cut->connect(undef, rcvbuf => 4096);
    $slow->send("GET /api/data?symbol=BIG&type=MD&columns=price&start=2025-01-01&end=2025-01-01 HTTP/1.1\r\nHost: a\r\n\r\n");
    my $now;
    ok(wait_for(20, sub { $now = stats($cut)->{total}; $now->{counters}{bytes_sent} - $before->{bytes_sent} > 10000 }), 'data is on its way');
    is($now->{gauges}{files_mapped}, 2, 'two files are mapped');
    ok($now->{gauges}{bytes_mapped} >= 2 * 4 * 8640000, 'with all their bytes');
    truncate "$data/coinbase/BIG/MD/" . file_of('price', day_of('2025-01-01')), 0 or die $!;
    $slow->drain;
    $slow->close;
    $now = idle($cut)->{total}{counters};
    is($now->{responses_truncated} - $before->{responses_truncated}, 1, 'one answer is short');
    is($now->{responses_aborted} - $before->{responses_aborted}, 0, 'by our fault');
    is($now->{responses_2xx} - $before->{responses_2xx}, 0, 'and is not counted as whole');
    $cut->stop_ok;
};

subtest 'a worker is killed' => sub {
    my $last = idle();
    my $before = $last->{total}{counters};
    my @fell;
    kill 'KILL', ($server->workers)[0];
    my $replaced = wait_for(20, sub {
        my $stats = stats($server);
        for my $name (keys %{ $stats->{total}{counters} }) {
            push @fell, $name if $stats->{total}{counters}{$name} < $last->{total}{counters}{$name};
        }
        $last = $stats;
        return $stats->{total}{counters}{restarts} == 1 && @{ $stats->{processes} } == 3;
    });
    ok($replaced, 'it is replaced') or diag explain $last->{processes};
    is("@fell", '', 'no total ever falls');
    is($last->{total}{counters}{requests}, $before->{requests}, 'no request is lost');
    is($last->{total}{counters}{bytes_sent}, $before->{bytes_sent}, 'no byte either');
    ok($last->{past}{counters}{requests} > 0 || $before->{requests} > 0, 'the past is kept');
    my %ids;
    $ids{ $_->{id} }++ for @{ $last->{processes} };
    is(join(' ', grep { $_ != 1 } values %ids), '', 'no number is given twice');
};

subtest 'as text' => sub {
    my $run = tickstat('-1', '-p', $server->{pid});
    is($run->{status}, 0, 'status') or diag $run->{err};
    my $stats = stats($server);
    like($run->{out}, qr/^tickd \Q$stats->{version}\E, master $server->{pid}, 2 workers, up /, 'the server');
    like($run->{out}, qr/^worker 0 .*^worker 1 .*^all /ms, 'processes');
    like($run->{out}, qr/^requests +$stats->{total}{counters}{requests} /m, 'a counter');
    like($run->{out}, qr/^answer_time +p50 <=\d+[mu]?s /m, 'a time');
    my @missing = grep { $run->{out} !~ /^$_ /m } map { keys %{ $stats->{total}{$_} } } qw(counters gauges histograms);
    is("@missing", '', 'everything that is counted');
};

subtest 'the memory of another version' => sub {
    has_memfd() or plan skip_all => 'no Python 3 with memfd_create';
    my $python = <<'END';
import fcntl, os, signal, sys
pid, change, out = sys.argv[1:]
for name in os.listdir(f"/proc/{pid}/fd"):
    if os.readlink(f"/proc/{pid}/fd/{name}") == "/memfd:tickd (deleted)":
        memory = bytearray(open(f"/proc/{pid}/fd/{name}", "rb").read())
if change == "layout":
    memory[8:12] = (9999).to_bytes(4, sys.byteorder)
    memory[12:16] = os.getpid().to_bytes(4, sys.byteorder)
    memory[16:48] = b"7.8.9".ljust(32, b"\0")
    memory[48:4096] = b"\xff" * 4048
elif change == "magic":
    memory[0] ^= 1
elif change == "short":
    memory = memory[:100]
elif change == "counters":
    memory[4096] ^= 1
    memory[16:48] = b"7.8.9".ljust(32, b"\0")
fd = os.memfd_create("tickd", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
os.write(fd, memory)
if change != "unsealed":
    fcntl.fcntl(fd, 1033, 2) # F_ADD_SEALS, F_SEAL_SHRINK
open(out, "w").write("ready")
signal.pause()
END
    my %says = (
        layout => qr/tickd 7\.8\.9\b/, magic => qr/not the memory of a tickd/,
        short => qr/not the memory of a tickd/, counters => qr/tickd 7\.8\.9 that counts other things/,
        unsealed => qr/no tickd: its memory may vanish/,
    );
    for my $change (sort keys %says) {
        my $dir = scratch();
        my $pid = Tickd::child([ 'python3', '-c', $python, $server->{pid}, $change, "$dir/ready" ], "$dir/log", "$dir/log");
        wait_for(20, sub { -s "$dir/ready" }) or diag 'no bogus segment: ' . Tickd::_slurp("$dir/log");
        my $run = tickstat('-1', '-p', $pid);
        is($run->{status}, 1, "$change: refused");
        like($run->{err}, $says{$change}, 'with the reason');
        is($run->{out}, '', 'and nothing is shown');
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
};

# proc_of(PIDS): as /proc, with these processes only.
sub proc_of (@pids) {
    my $dir = scratch();
    symlink "/proc/$_", "$dir/$_" or die $! for @pids;
    symlink '/proc/version', "$dir/version";
    return $dir;
}

subtest 'which server' => sub {
    my $other = Tickd->start(data => "$home", workers => 1);
    my @all = ($server->{pid}, $server->workers, $other->{pid}, $other->workers);

    my $none = proc_of($$);
    my $run = tickstat('-1', '--proc', "$none");
    is($run->{status}, 1, 'none: fails');
    like($run->{err}, qr/no tickd is running/, 'and says so');

    my $one = proc_of($$, $server->{pid}, $server->workers);
    $run = tickstat('--json', '--proc', "$one");
    is($run->{status}, 0, 'one: found') or diag $run->{err};
    is(eval { decode_json($run->{out})->{master} }, $server->{pid}, 'and it is the one');

    my $two = proc_of(@all);
    $run = tickstat('-1', '--proc', "$two");
    is($run->{status}, 1, 'two: fails');
    like($run->{err}, qr/more than one/, 'and says so');
    my @listed = $run->{err} =~ /^tickstat:\s+(\d+)  \S/mg;
    is(join(' ', sort { $a <=> $b } @listed), join(' ', sort { $a <=> $b } $server->{pid}, $other->{pid}), 'naming the masters');
    # A wrapper has a title of its own.
    like($run->{err}, qr/ $other->{pid}  tickd: master 127\.0\.0\.1:@{[ $other->port ]}$/m, 'by their titles') if !$ENV{TICKD_WRAPPER};

    my $file = "$none/pid";
    open my $out, '>', $file or die $!;
    print {$out} "$other->{pid}\n";
    close $out;
    $run = tickstat('--json', '--pid-file', $file);
    is(eval { decode_json($run->{out})->{master} }, $other->{pid}, 'one by its pid file') or diag $run->{err};
    $other->stop_ok;
    is(tickstat('-1', '--pid-file', $file)->{status}, 1, 'which is gone');
    is(tickstat('-1', '--pid-file', "$none/none")->{status}, 1, 'no pid file');
    $run = tickstat('-1', '-p', $$);
    is($run->{status}, 1, 'another program');
    like($run->{err}, qr/process $$ is no tickd/, 'is named');
};

subtest 'again and again, until the server is gone' => sub {
    my $short = Tickd->start(data => "$home", workers => 1);
    my $dir = scratch();
    my $pid = Tickd::child([ @tickstat, '-p', $short->{pid}, '-i', '100ms' ], "$dir/out", "$dir/err");
    ok(wait_for(20, sub { 3 <= (() = Tickd::_slurp("$dir/out") =~ /^tickd \S+, master /mg) }), 'blocks are printed');
    like(Tickd::_slurp("$dir/out"), qr/since the start.*of the last 0\.\d s/s, 'rates of the interval');
    unlike(Tickd::_slurp("$dir/out"), qr/\e/, 'without escape codes');
    $short->stop_ok;
    ok(wait_for(20, sub { waitpid($pid, WNOHANG) == $pid }), 'it ends with the server');
    is($? >> 8, 1, 'status 1');
    like(Tickd::_slurp("$dir/err"), qr/process $short->{pid}\) is gone/, 'and says why');
};

subtest 'on a terminal' => sub {
    has_memfd() or plan skip_all => 'no Python 3';
    my $python = <<'END';
import os, pty, select, signal, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen, deadline, told = b"", time.time() + float(sys.argv[1]), False
while time.time() < deadline:
    if select.select([fd], [], [], 0.1)[0]:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    if seen.count(b"\x1b[H") >= 2 and not told:
        os.kill(pid, signal.SIGINT)
        told = True
else:
    os.kill(pid, signal.SIGKILL)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
sys.stdout.flush()
os.write(1, seen)
END
    my $run = run_command(30, 'python3', '-c', $python, deadline(20), @tickstat, '-p', $server->{pid}, '-i', '100ms');
    like($run->{out}, qr/\A0\n/, 'INT ends it well') or diag $run->{err};
    like($run->{out}, qr/\A0\n\e\[\?1049h\e\[\?25l\e\[Htickd /, 'it takes the screen');
    like($run->{out}, qr/\e\[\?25h\e\[\?1049l\z/, 'and gives it back');
};

subtest 'calls that make no sense' => sub {
    for my $args ([ '-p', 'x' ], [ '-i', '0' ], ['word'], ['--nothing']) {
        my $run = tickstat(@$args);
        is($run->{status}, 2, "@$args");
        like($run->{err}, qr/tickstat --help/, 'with advice');
    }
    is(tickstat('--help')->{status}, 0, '--help');
    like(tickstat('-V')->{out}, qr/\Atickstat \d/, '-V');
};

$server->stop_ok;
done_testing;
