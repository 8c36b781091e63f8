#!/usr/bin/perl
# HUP: a new configuration, while not one request fails; and a bad one, which changes nothing.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::IP;
use POSIX ();
use Test::More;
use Tickd;
use Tickd::Data qw(write_file);
use Tickd::Load;
use Time::HiRes qw(time);

my $dir = scratch();
mkdir "$dir/$_" or die $! for qw(a b);
Tickd::Load::data("$dir/a", 0);
Tickd::Load::data("$dir/b", 1);

sub free_port {
    my $socket = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1) or die $!;
    return $socket->sockport;
}

# configure(NAME => VALUE ...): write the file, in one step.
my %base = (data => "$dir/a", listen => "{'127.0.0.1:0', 'unix:$dir/s'}", workers => 2);
sub configure {
    my %set = (%base, @_);
    write_file("$dir/conf.new", join '', map { "$_ = $set{$_}\n" } sort keys %set);
    rename "$dir/conf.new", "$dir/conf" or die $!;
    return;
}

# count(SERVER, PATTERN): lines of all its logs.
sub count {
    my ($server, $pattern) = @_;
    my $text = $server->log_text . Tickd::_slurp("$dir/log1") . Tickd::_slurp("$dir/log2");
    return scalar(() = $text =~ /$pattern/g);
}

# reload(SERVER, PATTERN): send HUP, and wait for what it leads to.
sub reload {
    my ($server, $pattern) = @_;
    $pattern //= qr/notice: reloaded$/m;
    my $before = count($server, $pattern);
    $server->signal('HUP');
    return wait_for(40, sub { count($server, $pattern) > $before });
}

# price(SERVER): the first price, which tells the data directory.
sub price {
    my ($server) = @_;
    my $r = $server->get(Tickd::Load::target(5, 1));
    return $r->{status} == 200 ? unpack('V', parse_raw($r->{body})->{data}{price}) : "status $r->{status}";
}

sub started {
    my $server = Tickd->start(listen => [], workers => 0, args => [ '-c', "$dir/conf" ]);
    wait_for(20, sub { $server->log_text =~ /serving/ }) or $server->dump_log;
    return $server;
}

subtest 'what changes, and what stays' => sub {
    configure();
    my $server = started();
    my ($tcp) = $server->addresses;
    is(price($server), 5, 'it serves the first directory');
    my @workers = $server->workers;
    is(scalar @workers, 2, 'with two workers');
    my $kept = $server->connect;
    $kept->get('/health');

    configure(data => "$dir/b", workers => 1);
    ok(reload($server), 'another directory, fewer workers') or $server->dump_log;
    # An old worker may take a connection before it hears that it is to end.
    ok(wait_for(10, sub { price($server) == 1_000_005 }), 'the other directory is served, at the same address');
    my $last = $kept->get('/health');
    ok(!$last->{error} && $last->{status} == 200 && $last->{close}, 'a connection that was idle meanwhile is answered, and then closed')
        or diag explain $last;
    ok($kept->at_end, 'for good');
    ok(wait_for(10, sub { my @now = $server->workers; @now == 1 && !grep { $now[0] == $_ } @workers }), 'the old workers are gone');

    configure(listen => "{'unix:$dir/s', 'unix:$dir/more', '127.0.0.1:0'}");
    ok(reload($server), 'one more address');
    ok(Tickd::Http->connect(path => "$dir/more")->get('/health')->{status} == 200, 'it serves');
    is($server->connect($tcp)->get('/health')->{status}, 200, 'the others are as before');
    configure(listen => "{'$tcp'}");
    ok(reload($server), 'fewer addresses, one by its number');
    ok(!-e "$dir/more" && !-e "$dir/s", 'the files of sockets that are gone are gone');
    ok(!Tickd::Http->connect(path => "$dir/more"), 'nobody is there');
    is($server->connect($tcp)->get('/health')->{status}, 200, 'the address that stays serves');

    configure(error_log => "$dir/log1", log_level => 'info');
    ok(reload($server), 'a log file');
    like(Tickd::_slurp("$dir/log1"), qr/notice: reloaded$/m, 'is written to');
    configure();
    ok(reload($server), 'back');
    $server->stop_ok;
};

subtest 'what cannot be' => sub {
    configure();
    my $server = started();
    my @workers = $server->workers;
    my $taken = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1) or die $!;
    my @cases = (
        [ 'a value that is none', qr{\Q$dir\E/conf:\d+: option max_days: 'many'}, max_days => 'many' ],
        [ 'an unknown option', qr{\Q$dir\E/conf:\d+: option wrokers: }, wrokers => 1 ],
        [ 'data that are not there', qr{/nowhere/at/all}, data => '/nowhere/at/all' ],
        [ 'a log that cannot be opened', qr{cannot open the error log /nowhere/log}, error_log => '/nowhere/log' ],
        [ 'an address that is taken', qr{@{[ $taken->sockport ]}: Address already in use}, listen => "{'127.0.0.1:@{[ $taken->sockport ]}'}" ],
        [ 'a socket in no directory', qr{unix:/nowhere/s}, listen => "{'unix:/nowhere/s'}" ],
    );
    for (@cases) {
        my ($name, $culprit, @set) = @$_;
        configure(@set);
        ok(reload($server, qr/reload: it failed; the configuration of before stays in force/), $name);
        like($server->log_text, $culprit, 'is named');
    }
    write_file("$dir/conf", "data = \"\n");
    ok(reload($server, qr{error: \Q$dir\E/conf:1: }), 'no configuration at all');
    is(join(' ', $server->workers), "@workers", 'the workers are the same');
    is(price($server), 5, 'and serve');
    configure(pid_file => "$dir/pid");
    ok(reload($server), 'a pid file is left for the next start');
    like($server->log_text, qr/warning: pid_file: /, 'with a warning');
    $server->stop_ok;
};

subtest 'signals while it reloads' => sub {
    configure();
    my $server = started();
    my $steady = Tickd::Load->start('steady', ($server->addresses)[0], variants => 2);
    for my $round (1 .. 10) {
        configure(data => $round % 2 ? "$dir/b" : "$dir/a");
        $server->signal('HUP');
        select undef, undef, undef, rand 0.01;
    }
    ok(wait_for(20, sub { price($server) == 5 }), 'of many HUPs the last one wins');
    ok(wait_for(20, sub { 2 == (() = $server->workers) }), 'and two workers are left');
    for my $round (1 .. 4) { # a worker that is killed during a reload
        my $before = count($server, qr/notice: reloaded$|reload: it failed/m);
        my %old = map { $_ => 1 } $server->workers;
        $server->signal('HUP');
        my ($new) = wait_for(10, sub { (grep { !$old{$_} } $server->workers)[0] });
        # One that serves may have a request: those that do not know it yet are killed.
        kill 'KILL', $new if $new && Tickd::title($new) !~ /worker/;
        ok(wait_for(40, sub { count($server, qr/notice: reloaded$|reload: it failed/m) > $before }), "round $round: it ends");
        ok(wait_for(20, sub { 2 == (() = $server->workers) }), 'with two workers');
    }
    $steady->stop_ok;
    $server->signal('HUP');
    is($server->stop('QUIT'), 0, 'QUIT during a reload ends it');
    $server->log_ok;
    my $second = started();
    $second->signal('HUP');
    is($second->stop('TERM'), 0, 'and so does TERM');
};

subtest 'HUP in a storm' => sub {
    my $rounds = int 20 * ($ENV{TICKD_TEST_ROUNDS} || 1) || 1;
    my $door = '127.0.0.1:' . free_port();
    configure();
    my $server = started();
    my ($tcp, $unix) = $server->addresses;
    my @clients = map { Tickd::Load->start(@$_, variants => 2) }
        [ 'steady', $tcp ], [ 'steady', $unix ], [ 'fresh', $tcp ], [ 'slow', $tcp ], [ 'door', $door ], [ 'door', "unix:$dir/door" ];
    my @wrk;
    my $began = time;
    for my $round (1 .. $rounds) {
        push @wrk, Tickd::Load::wrk($tcp, 4) if !@wrk || time - $began > 4.5 * @wrk;
        configure(
            data => "$dir/" . ($round % 3 ? 'b' : 'a'),
            workers => 1 + $round % 3,
            listen => "{'127.0.0.1:0', 'unix:$dir/s'" . ($round % 2 ? ", '$door', 'unix:$dir/door'" : '') . '}',
            max_connections => 1000 + $round,
            max_mapped => 64 + $round % 5,
            $round % 3 ? (error_log => "$dir/log" . $round % 3) : (),
            cache_entries => $round % 7 ? 16384 : 1024,
        );
        ok(reload($server), "round $round") or last;
    }
    my $took = time - $began;
    my $requests = 0;
    $requests += Tickd::Load::wrk_ok($_, "$rounds HUPs") for @wrk;
    $requests += $_->stop_ok("$rounds HUPs: $_->{kind} $_->{address}") for @clients;
    note sprintf '%d HUPs in %.1f s: %d requests', $rounds, $took, $requests;
    diag sprintf '%d HUPs in %.1f s: %d requests', $rounds, $took, $requests if $ENV{TICKD_TEST_ROUNDS};
    configure();
    reload($server);
    $server->stop_ok;
};

done_testing;
