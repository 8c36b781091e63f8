#!/usr/bin/perl
# /metrics: on the admin listener and nowhere else, right to the byte, and never anything that a client wrote; the
# alert rules and the dashboard name nothing else.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use IO::Socket::IP;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_file read_file write_day append_day midnight OLD);

my $home = scratch();
sample("$home");
my $dir = scratch();
my $admin = "unix:$dir/admin";
my $server = Tickd->start(data => "$home", workers => 2, admin => $admin);
my $query = '/api/data?symbol=BTC-USD&type=MD&columns=time&start=2025-01-01&end=2025-01-07';

sub of_admin ($target, $address = $admin) { return $server->connect($address)->get($target) }

# metrics(): {name{labels} => value}.
sub metrics () {
    my $body = of_admin('/metrics')->{body};
    return { $body =~ /^([a-z_0-9]+(?:\{[^}\n]*\})?) (\S+)$/mg };
}

# idle(): likewise, once all connections but the one that asks are closed.
sub idle () {
    my $metrics;
    wait_for(20, sub {
        $metrics = metrics();
        return $metrics->{tickd_connections} == 1 && $metrics->{tickd_requests_active} == 1;
    }) or diag 'connections do not close';
    return $metrics;
}

# ask(BYTES): what the server sends until it closes.
sub ask ($request, $address = undef) {
    my $http = $server->connect($address);
    $http->send($request);
    my $answer = $http->drain;
    $http->close;
    return $answer;
}

sub have ($command) { return system("$command >/dev/null 2>&1") == 0 }

subtest 'who answers what' => sub {
    is($server->get('/metrics')->{status}, 404, 'no /metrics where data is');
    is(of_admin($query)->{status}, 404, 'no data where /metrics is');
    is($_->('/health')->{status}, 200, '/health is on both') for sub { $server->get(@_) }, \&of_admin;
    my $r = of_admin('/metrics');
    is($r->{status}, 200, '/metrics');
    is($r->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'its type');
    is($r->{headers}{'cache-control'}, 'no-cache', 'not to be kept');
    my $head = $server->connect($admin);
    $head->send("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    is($head->response('HEAD')->{status}, 200, 'HEAD');
    like($server->log_text, qr/admin: listening on \Q$admin\E\n/, 'the log says where');
};

subtest 'the format' => sub {
    my $body = of_admin('/metrics')->{body};
    my (%type, @wrong);
    for (split /\n/, $body) {
        if (/\A# TYPE (tickd_\w+) (counter|gauge|histogram)\z/) { push @wrong, $_ if $type{$1}; $type{$1} = $2 }
        elsif (/\A# HELP (tickd_\w+) [^\\]+\z/) { push @wrong, $_ if $type{$1} }
        elsif (/\A(tickd_\w+)(\{[^}]*\})? [0-9.]+\z/) {
            my ($name, $labels) = ($1, $2 // '');
            push @wrong, $_ if !$type{$name} && ($type{ $name =~ s/_(?:bucket|sum|count)\z//r } // '') ne 'histogram';
            push @wrong, $_ if $labels && $labels !~ /\A\{(?:(?:endpoint|method|code|worker|state|exchange|type|version|le)="[\w.+]+",?)+\}\z/;
        } else { push @wrong, $_ }
    }
    is(join("\n", @wrong), '', 'every line is one of the format');
    my @rows = read_file(source() . '/include/system/counters.def') =~ /^([A-Z]+)\((\w+), /mg;
    my @missing;
    while (my ($kind, $name) = splice @rows, 0, 2) {
        my $metric = "tickd_$name" . { COUNTER => '_total', GAUGE => '', HISTOGRAM => '_seconds' }->{$kind};
        push @missing, $metric if ($type{$metric} // '') ne lc $kind;
    }
    is("@missing", '', 'every row of counters.def is there');
    SKIP: {
        have('promtool --version') or skip 'no promtool (Debian package: prometheus)', 1;
        write_file("$dir/metrics", $body);
        is(`promtool check metrics <$dir/metrics 2>&1`, '', 'promtool finds no fault');
    }
};

subtest 'the newest row' => sub {
    my $rows = scratch();
    my $midnight = midnight('2025-03-04');
    write_day("$rows", 'alpha/A/MD', '2025-03-04', { time => [ $midnight + 5, $midnight + 6 ] });
    write_day("$rows", 'alpha/B/MD', '2025-03-03', { time => [ $midnight - 1 ] }, mtime => OLD + 9);
    write_day("$rows", 'alpha/B/MD', '2025-03-05', { time => [] }, mtime => OLD + 10);
    write_day("$rows", 'alpha/B/TRADES', '2025-03-03', { time => [ $midnight - 9, $midnight - 7 ] });
    write_day("$rows", 'beta/C/MD', '2025-03-05', { time => [] });
    my $served = Tickd->start(data => "$rows", workers => 1, admin => "unix:$dir/rows", options => ['catalog_refresh=0']);
    my $told = sub {
        my $body = $served->connect("unix:$dir/rows")->get('/metrics')->{body};
        return join ' ', map { s/tickd_newest_row_time_seconds//r } $body =~ /^(tickd_newest_row_time_seconds\{.*\} .*)$/mg;
    };
    my $is = sub ($expected, $name) {
        my $last;
        ok(wait_for(10, sub { ($last = $told->()) eq $expected }), $name) or diag "$last, not $expected";
    };
    my $row = sub ($exchange, $type, $seconds) { return qq({exchange="$exchange",type="$type"} ) . ($midnight + $seconds) };
    my $trades = $row->('alpha', 'TRADES', -7);
    $is->($row->('alpha', 'MD', 6) . " $trades", 'is the last one of the newest day that has any');
    append_day("$rows", 'alpha/A/MD', '2025-03-04', { time => [ $midnight + 8 ] });
    $is->($row->('alpha', 'MD', 8) . " $trades", 'a row more, in the same second');
    append_day("$rows", 'alpha/B/MD', '2025-03-05', { time => \(pack('V', $midnight + 86405) . "\1\2") }, mtime => 'now');
    $is->($row->('alpha', 'MD', 86405) . " $trades", 'another symbol, and half a row');
    unlink glob "$rows/alpha/B/MD/time.05.*";
    $is->($row->('alpha', 'MD', 8) . " $trades", 'a day goes');
    $served->stop_ok;

    my $patient = Tickd->start(data => "$rows", workers => 1, admin => "unix:$dir/patient");
    my $http = $patient->connect("unix:$dir/patient");
    unlike($http->get('/metrics')->{body}, qr/^tickd_newest_row/m, 'nobody waits for it');
    ok(wait_for(20, sub { $http->get('/metrics')->{body} =~ /^tickd_newest_row/m }), 'it comes');
    rename "$rows/alpha", "$rows/.away" and rename "$rows/beta", "$rows/.gone" or die $!;
    ok(wait_for(10, sub { $http->get('/health')->{status} == 503 }), 'where the data is gone');
    is($http->get('/metrics')->{status}, 200, 'there are metrics all the same');
    $patient->stop_ok;
};

subtest 'what is counted is right' => sub {
    my $before = idle();
    my %asked = (
        '{endpoint="data",method="GET",code="200"}' => [ 20, "GET $query HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" ],
        '{endpoint="data",method="HEAD",code="200"}' => [ 3, "HEAD $query HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" ],
        '{endpoint="data",method="GET",code="400"}' => [ 5, "GET /api/data?x=y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" ],
        '{endpoint="other",method="GET",code="404"}' => [ 4, "GET /evil\" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" =~ s/"/%22/r ],
        '{endpoint="other",method="OPTIONS",code="204"}' => [ 2, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" ],
        '{endpoint="other",method="other",code="405"}' => [ 2, "POST /api/data HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" ],
        '{endpoint="other",method="other",code="501"}' => [ 2, "EVIL /api/data HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" ],
        '{endpoint="other",method="other",code="400"}' => [ 3, "tickd_evil{a=\"b\"} 1\r\n\r\n" ],
        '{endpoint="health",method="GET",code="200"}' => [ 6, "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" ],
    );
    my ($requests, $bytes) = (0, 0);
    for my $labels (sort keys %asked) {
        my ($count, $request) = @{ $asked{$labels} };
        for (1 .. $count) {
            $bytes += length ask($request);
            $requests++;
        }
    }
    my $after = idle();
    my $grown = sub ($name) { return ($after->{$name} // 0) - ($before->{$name} // 0) };
    for my $labels (sort keys %asked) {
        is($grown->("tickd_answers_total$labels"), $asked{$labels}[0], $labels);
    }
    my $all = 0;
    $all += $grown->($_) for grep { /\Atickd_answers_total/ } keys %$after;
    my $scraped = $grown->('tickd_answers_total{endpoint="metrics",method="GET",code="200"}');
    is($all, $requests + $scraped, 'all answers are there once');
    is($grown->('tickd_answer_time_seconds_count'), $requests + $scraped, 'in the histogram, too');
    is($after->{'tickd_answer_time_seconds_bucket{le="+Inf"}'}, $after->{tickd_answer_time_seconds_count}, 'whose buckets add up');
    my @le = map { /le="([\d.]+)"/ ? $1 : () } grep { /\Atickd_answer_time_seconds_bucket/ } keys %$after;
    ok((grep { $_ eq '0.00005' } @le) && (grep { $_ eq '10' } @le), 'and have bounds from 50 us to 10 s');
    cmp_ok($grown->('tickd_bytes_sent_total'), '>', $bytes, 'bytes'); # and those of /metrics itself
    my $text = of_admin('/metrics')->{body};
    unlike($text, qr/evil/i, 'nothing that a client wrote');
};

subtest 'connections by state, and workers' => sub {
    my @idle = map { $server->connect } 1 .. 5;
    my $metrics;
    ok(wait_for(10, sub {
        $metrics = metrics();
        return $metrics->{'tickd_connections_by_state{state="idle"}'} == 5 && $metrics->{'tickd_connections_by_state{state="answering"}'} == 1;
    }), 'five idle ones, and the one that asks') or diag explain $metrics;
    is($metrics->{'tickd_worker_connections{worker="0"}'} + $metrics->{'tickd_worker_connections{worker="1"}'}, $metrics->{tickd_connections}, 'by worker');
    $_->close for @idle;
    is($metrics->{tickd_workers}, 2, 'workers');
    cmp_ok(abs($metrics->{tickd_process_start_time_seconds} - time), '<', deadline(300), 'when the server started');
    my ($version) = map { /build_info\{version="(.*)"\}/ } keys %$metrics;
    is($version, decode_json($server->get('/health')->{body})->{version}, 'its version');
};

subtest 'a worker that is killed takes nothing along' => sub {
    my $before = idle();
    my ($victim) = $server->workers;
    kill 'KILL', $victim;
    my (@fell, $after);
    my $last = $before;
    ok(wait_for(20, sub {
        my $answer = $server->connect($admin, quietly => 1)->get('/metrics');
        return 0 if $answer->{error}; # the one that was killed
        $after = { $answer->{body} =~ /^([a-z_0-9]+(?:\{[^}\n]*\})?) (\S+)$/mg };
        push @fell, grep { /_total/ && $after->{$_} < $last->{$_} } keys %$last;
        $last = $after;
        return $after->{tickd_restarts_total} == 1 && $after->{tickd_workers} == 2 && $after->{tickd_accepting} == 2;
    }), 'it is replaced') or diag explain $last;
    is("@fell", '', 'no counter ever falls');
};

subtest 'a day without a column' => sub {
    my $before = metrics()->{tickd_damage_found_total};
    my ($file) = sort glob "$home/coinbase/BTC-USD/MD/price.*.bin";
    rename $file, "$file.away" or die $!;
    is($server->get($query =~ s/columns=time/columns=price/r)->{status}, 500, 'is an error');
    is(metrics()->{tickd_damage_found_total}, $before + 1, 'and counted');
    rename "$file.away", $file;
};

subtest 'where there is no room for others' => sub {
    my $full = Tickd->start(data => "$home", workers => 1, admin => "unix:$dir/full", options => ['max_connections=2']);
    my @taken = map { $full->connect } 1 .. 2;
    $_->get('/health') for @taken;
    is($full->connect->get('/health')->{status}, 503, 'one too many is refused');
    is($full->connect("unix:$dir/full")->get('/metrics')->{status}, 200, 'but for those who look why');
    $full->stop_ok;
};

subtest 'an address that cannot be had' => sub {
    my $run = Tickd->spawn(data => "$home", workers => 1, admin => 'off', args => [ '-c', conf() ]);
    ok(wait_for(20, sub { $run->answers }), 'off: it serves');
    unlike($run->log_text, qr/admin/, 'and has no admin listener');
    $run->stop_ok;
    my $taken = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1) or die $!;
    my $address = '127.0.0.1:' . $taken->sockport;
    my $asked = run_tickd(20, '-f', '-d', "$home", '-l', '127.0.0.1:0', '-w', '1', '-o', "admin_listen=$address");
    is($asked->{status}, 1, 'asked for, and taken: an error');
    like($asked->{err}, qr/cannot listen on $address/, 'that names it');
    is(run_tickd(20, '-t', '-d', "$home", '-o', 'admin_listen=nonsense')->{status}, 1, 'one that is none');
    SKIP: {
        my $default = wait_for(5, sub { IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 9091, Listen => 1, ReuseAddr => 1) })
            or skip 'another process has the default address', 7;
        my $second = bless { dir => scratch() }, 'Tickd';
        $second->{log} = "$second->{dir}/log";
        $second->{pid} = Tickd::child([ tickd(), '-f', '-d', "$home", '-l', '127.0.0.1:0', '-w', '1' ], $second->{log}, $second->{log});
        $second->track;
        ok(wait_for(20, sub { $second->answers }), 'the default, taken: it serves all the same') or $second->dump_log;
        ok(wait_for(10, sub { $second->log_text =~ / notice: going on without an admin listener: .*127\.0\.0\.1:9091,/ }), 'and says so')
            or $second->dump_log;
        unlike($second->log_text, qr/ warning: /, 'without a warning');
        $second->stop_ok;
        is(run_tickd(20, '-t', '-d', "$home", '-l', '127.0.0.1:0')->{status}, 0, 'for -t, too, it does not matter');
        is(run_tickd(20, '-t', '-d', "$home", '-l', '127.0.0.1:0', '-o', 'admin_listen=127.0.0.1:9091')->{status}, 1, 'unless it is asked for');
        close $default;
    }
};

sub conf () {
    write_file("$dir/conf", "admin_listen = \"127.0.0.1:9091\"\n");
    return "$dir/conf";
}

# names(TEXT): the metrics in it.
sub names ($text) { return sort keys %{ { map { $_ => 1 } $text =~ /\b(tickd_\w+)/g } } }

subtest 'alert rules and dashboard' => sub {
    my $body = of_admin('/metrics')->{body};
    my %there = map { $_ => 1 } $body =~ /^(tickd_\w+)/mg, $body =~ /^# TYPE (\w+)/mg; # some have no value yet
    my $etc = source() . '/etc/prometheus';
    my $rules = read_file("$etc/tickd.rules.yml");
    my $dashboard = read_file("$etc/tickd-dashboard.json");
    my $json = eval { decode_json($dashboard) };
    ok($json && @{ $json->{panels} } > 10, 'the dashboard is JSON, with panels') or diag $@;
    is(join(' ', grep { !$there{$_} } names($dashboard)), '', 'it names what is there');
    is(join(' ', grep { !$there{$_} } names($rules)), '', 'so do the rules');
    my $tried = source() . '/t/tickd.rules.test.yml';
    my $tests = read_file($tried);
    is(join(' ', grep { $tests !~ /alertname: $_\n +exp_alerts:\n/ || $tests !~ /alertname: $_, exp_alerts: \[\]/ } $rules =~ /alert: (\w+)/g), '',
        'each rule has tests of both kinds');
    SKIP: {
        have('promtool --version') or skip 'no promtool (Debian package: prometheus)', 2;
        my $said = `promtool check rules $etc/tickd.rules.yml 2>&1`;
        is($?, 0, 'promtool takes the rules') or diag $said;
        $said = `promtool test rules $tried 2>&1`;
        is($?, 0, 'each fires when it should, and only then') or diag $said;
    }
};

$server->stop_ok;
done_testing;
