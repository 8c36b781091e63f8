#!/usr/bin/perl
# USR2: another binary takes over, with the sockets, while not one request fails; or does not, and nothing
# changes. And what the service manager hears and hands over.

use v5.26;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(AF_UNIX SOCK_DGRAM SOCK_STREAM pack_sockaddr_un pack_sockaddr_in inet_aton SOMAXCONN);
use Test::More;
use Tickd;
use Tickd::Data qw(write_file);
use Tickd::Load;
use Time::HiRes qw(time);

plan skip_all => 'daemons are not followed into a wrapper' if ($ENV{TICKD_WRAPPER} // '') ne '';

my $dir = scratch();
mkdir "$dir/data" or die $!;
Tickd::Load::data("$dir/data");
my $engine = defined $ENV{TICKD_ENGINE} ? "engine = $ENV{TICKD_ENGINE}\n" : '';
my $conf = "data = $dir/data\nlisten = {'127.0.0.1:0', 'unix:$dir/s'}\nworkers = 2\nadmin_listen = off\npid_file = $dir/pid\nerror_log = $dir/log\n$engine";

# program(TEXT): let the program be what TEXT says, by a rename; undef: the real one.
my $real = (tickd())[0];
sub program {
    my ($text) = @_;
    unlink "$dir/tickd.new";
    if (defined $text) {
        write_file("$dir/tickd.new", "#!/bin/sh\n$text\n");
        chmod 0755, "$dir/tickd.new" or die $!;
    } else {
        symlink $real, "$dir/tickd.new" or die $!;
    }
    rename "$dir/tickd.new", "$dir/tickd" or die $!;
    return;
}

sub master { return Tickd::_slurp("$dir/pid") =~ /\A(\d+)\n\z/ ? $1 : 0 }

# daemon(): the server, started as $dir/tickd.
sub daemon {
    program();
    write_file("$dir/conf", $conf);
    unlink "$dir/log";
    my $run = run_command(20, "$dir/tickd", '-c', "$dir/conf");
    is("$run->{status} $run->{err}", '0 ', 'it starts') or die "no server\n";
    my $self = bless { dir => $dir, log => "$dir/log", daemon => 1, pid => master() }, 'Tickd';
    $self->track;
    return $self;
}

sub lines { my ($server, $pattern) = @_; return scalar(() = $server->log_text =~ /$pattern/g) }

# upgrade(SERVER, IDLE): IDLE, a connection to the old one, gets an answer in between. Whether another master has the pid file, and the old one is gone; SERVER is the new one then.
sub upgrade {
    my ($server, $idle) = @_;
    my $old = $server->{pid};
    $server->signal('USR2');
    my $done = wait_for(40, sub { master() && master() != $old });
    my $last = $idle && $idle->get('/health');
    ok(!$last->{error} && $last->{status} == 200, 'a connection that was idle meanwhile is answered') if $idle;
    $idle->close if $idle;
    $done &&= wait_for(40, sub { !Tickd::alive($old) });
    if ($done) {
        $server->{pid} = master();
        $server->track;
    }
    return $done;
}

# fails(SERVER, PATTERN): an upgrade that is rolled back, and says so.
sub fails {
    my ($server, $pattern, $name) = @_;
    my $before = lines($server, qr/upgrade: it failed/);
    $server->signal('USR2');
    ok(wait_for(40, sub { lines($server, qr/upgrade: it failed/) > $before }), "$name: it fails") or $server->dump_log;
    like($server->log_text, $pattern, "$name: and says why");
    is(master(), $server->{pid}, "$name: the pid file is the old one's");
    ok(!-e "$dir/pid.oldbin", "$name: by its name");
    is(run_tickd(10, '-c', "$dir/conf", '-s', 'status')->{status}, 0, "$name: and locked");
    is($server->get('/health')->{status}, 200, "$name: the old one serves");
    return;
}

subtest 'upgrades under load' => sub {
    my $server = daemon();
    my ($tcp, $unix) = $server->addresses;
    my @clients = map { Tickd::Load->start(@$_) } [ 'steady', $tcp ], [ 'steady', $unix ], [ 'fresh', $tcp ], [ 'fresh', $unix ], [ 'slow', $tcp ];
    my $wrk = Tickd::Load::wrk($tcp, 5);
    for my $round (1 .. 3) {
        my $first = $server->{pid};
        my $idle = $server->connect($tcp);
        $idle->get('/health');
        ok(upgrade($server, $idle), "round $round: a new master") or $server->dump_log;
        is(run_tickd(10, '-c', "$dir/conf", '-s', 'status')->{out}, "tickd is running as process $server->{pid}\n", 'has the pid file');
        ok(!-e "$dir/pid.oldbin", 'and the old name is gone');
        ok(-S "$dir/s", 'the socket is there');
        is(scalar(my @workers = $server->workers), 2, 'with two workers');
        last if $round == 3;
        # One that fails, in between.
        program($round == 1 ? 'exit 1' : 'echo this is no tickd >&2; sleep 0.2; exit 0');
        fails($server, $round == 1 ? qr/process \d+ does not take over/ : qr/this is no tickd/, "round $round");
        program();
        is(run_tickd(10, '-c', "$dir/conf", '-s', 'upgrade')->{status}, 0, 'and by -s') if $round == 2;
        if ($round == 2) {
            my $old = $server->{pid};
            ok(wait_for(40, sub { master() && master() != $old && !Tickd::alive($old) }), 'once more');
            $server->{pid} = master();
            $server->track;
        }
    }
    Tickd::Load::wrk_ok($wrk, 'upgrades');
    $_->stop_ok for @clients;
    is($server->stop, 0, 'it stops');
    ok(!-e "$dir/pid" && !-e "$dir/s", 'and leaves nothing');
    $server->log_ok;
};

subtest 'what does not come up' => sub {
    my $server = daemon();
    my $steady = Tickd::Load->start('steady', ($server->addresses)[0]);
    unlink "$dir/tickd";
    fails($server, qr{cannot run \Q$dir\E/tickd: No such file}, 'no program');
    program();
    write_file("$dir/conf", "${conf}wrokers = 1\n");
    my $before = lines($server, qr/upgrade: it failed/);
    $server->signal('USR2');
    ok(wait_for(40, sub { lines($server, qr/upgrade: it failed/) > $before }), 'a bad file: it fails');
    like($server->log_text, qr{tickd: \Q$dir\E/conf:\d+: option wrokers: }, 'and says why');
    write_file("$dir/conf", $conf);
    is($server->get('/health')->{status}, 200, 'the old one serves');

    # A new master that is killed, before and after its workers serve.
    for my $after (0, 1) {
        my $failed = lines($server, qr/upgrade: it failed/);
        program($after ? "kill -STOP \$\$; exec $real \"\$@\"" : 'sleep 60');
        $server->signal('USR2');
        ok(wait_for(10, sub { $server->log_text =~ /.*upgrade: process (\d+) runs/s && Tickd::alive($1) }), 'a new master is there');
        my ($new) = $server->log_text =~ /.*upgrade: process (\d+) runs/s;
        kill 'KILL', $new;
        ok(wait_for(20, sub { lines($server, qr/upgrade: it failed/) > $failed }), 'it is killed: the old one goes on');
        is(master(), $server->{pid}, 'with its pid file');
    }
    program();

    # QUIT and TERM to the old one meanwhile.
    program('sleep 60');
    $server->signal('USR2');
    wait_for(10, sub { $server->log_text =~ /.*upgrade: process (\d+) runs/s && Tickd::alive($1) });
    $steady->stop_ok;
    is($server->stop('QUIT', 20), 0, 'QUIT during an upgrade ends both');
    ok(!-e "$dir/pid" && !-e "$dir/s", 'and leaves nothing');
};

subtest 'another configuration comes along' => sub {
    my $server = daemon();
    my ($tcp) = $server->addresses;
    my $door = Tickd::Load->start('door', "unix:$dir/s");
    write_file("$dir/conf", $conf =~ s/^listen.*/listen = {'unix:$dir\/t', '$tcp'}/mr);
    ok(upgrade($server), 'a new master');
    is($server->connect($tcp)->get('/health')->{status}, 200, 'it has the address that stays, by its number');
    ok(Tickd::Http->connect(path => "$dir/t")->get('/health')->{status} == 200, 'a new one');
    ok(!-e "$dir/s", 'and not the one that goes');
    $door->stop_ok;
    kill 'KILL', $server->{pid}; # the workers notice; nobody else is there
    ok(wait_for(10, sub { !$server->connect($tcp, quietly => 1) }), 'killed: nobody listens any more');
};

# manager(): a socket that hears what a service manager would.
sub manager {
    my ($name) = @_;
    socket my $socket, AF_UNIX, SOCK_DGRAM, 0 or die $!;
    bind $socket, pack_sockaddr_un($name =~ s/\A\@/\0/r) or die $!;
    $socket->blocking(0);
    my $heard = '';
    return sub {
        while (defined recv $socket, my $text, 4096, 0) {
            $heard .= "$text\n--\n";
        }
        return $heard;
    };
}

subtest 'the service manager hears of it' => sub {
    for my $name ("$dir/notify", "\@tickd-test-$$") {
        my $heard = manager($name);
        local $ENV{NOTIFY_SOCKET} = $name;
        local $ENV{WATCHDOG_USEC} = 400_000;
        local $ENV{WATCHDOG_PID};
        delete $ENV{WATCHDOG_PID};
        write_file("$dir/conf", $conf =~ s/^(?:error_log|pid_file).*\n//mgr);
        my $server = Tickd->start(listen => [], workers => 0, args => [ '-c', "$dir/conf" ]);
        ok(wait_for(10, sub { $heard->() =~ /READY=1\nMAINPID=$server->{pid}\nSTATUS=2 workers are serving/ }), 'READY');
        $server->signal('HUP');
        ok(wait_for(10, sub { $heard->() =~ /RELOADING=1\nMONOTONIC_USEC=\d+\n.*READY=1\n/s }), 'RELOADING, and READY again') or diag $heard->();
        ok(wait_for(10, sub { (() = $heard->() =~ /WATCHDOG=1/g) > 3 }), 'signs of life');
        wait_for(10, sub { 2 == (() = $server->workers) });
        my ($worker) = $server->workers;
        kill 'STOP', $worker;
        my $quiet = wait_for(10, sub { # none for a second
            my $before = () = $heard->() =~ /WATCHDOG=1/g;
            select undef, undef, undef, 1;
            return $before == (() = $heard->() =~ /WATCHDOG=1/g);
        });
        ok($quiet, 'none while a worker is stuck');
        kill 'CONT', $worker;
        my $before = () = $heard->() =~ /WATCHDOG=1/g;
        ok(wait_for(10, sub { $before < (() = $heard->() =~ /WATCHDOG=1/g) }), 'again when it goes on');
        $server->signal('USR2');
        ok(wait_for(20, sub { $heard->() =~ /.*\nMAINPID=(\d+)\n/s && $1 != $server->{pid} && $server->gone }), 'MAINPID') or diag $heard->();
        my ($next) = $heard->() =~ /.*MAINPID=(\d+)\n/s;
        kill 'TERM', $next;
        ok(wait_for(10, sub { !Tickd::alive($next) }), 'it stops');
        like($heard->(), qr/STOPPING=1/, 'STOPPING');
    }
};

subtest 'sockets that are handed over' => sub {
    my $server = sub { # run(ARGUMENTS): with a TCP and a Unix socket as 3 and 4
        my ($pid_of_listen, @args) = @_;
        my $log = scratch();
        socket my $tcp, Socket::AF_INET, SOCK_STREAM, 0 or die $!;
        bind $tcp, pack_sockaddr_in(0, inet_aton('127.0.0.1')) or die $!;
        listen $tcp, SOMAXCONN or die $!;
        my ($port) = Socket::unpack_sockaddr_in(getsockname $tcp);
        unlink "$dir/lent";
        my $unix = IO::Socket::UNIX->new(Local => "$dir/lent", Listen => 10) or die $!;
        my $pid = fork // die $!;
        if (!$pid) {
            my @fds = map { POSIX::dup(fileno $_) } $tcp, $unix;
            my @far = map { POSIX::dup2($_, $_ + 40); $_ + 40 } @fds;
            POSIX::dup2($far[$_], 3 + $_) for 0, 1;
            POSIX::close($_) for 5 .. 60;
            open STDIN, '<', '/dev/null';
            open STDOUT, '>>', "$log/log";
            open STDERR, '>&', \*STDOUT;
            $ENV{LISTEN_FDS} = 2;
            $ENV{LISTEN_PID} = $pid_of_listen || $$;
            exec $real, '-d', "$dir/data", '-w', 1, '-o', 'admin_listen=off', '-l', "127.0.0.1:$port", '-l', "unix:$dir/lent", @args or POSIX::_exit(127);
        }
        my $self = bless { dir => $log, log => "$log/log", pid => $pid, port => $port }, 'Tickd';
        $self->track;
        return $self, $tcp, $unix;
    };
    my ($first, $tcp, $unix) = $server->(0, '-f');
    ok(wait_for(10, sub { $first->log_text =~ /serving/ }), 'it serves') or $first->dump_log;
    is($first->connect("unix:$dir/lent")->get('/health')->{status}, 200, 'on the Unix socket');
    is($first->get('/health')->{status}, 200, 'and on the other');
    is($first->stop, 0, 'it stops');
    ok(-S "$dir/lent", 'and leaves the file that is not its');
    my $waiting = $first->connect;
    ok($waiting, 'who comes then waits for the next one');

    my ($other) = $server->($$, '-f');
    like(wait_for(10, sub { $other->gone && $other->log_text }), qr/Address already in use/, 'those of another process are left alone');
    my $bad = run_command(10, 'sh', '-c', "exec 3</dev/null; LISTEN_FDS=1 LISTEN_PID=\$\$ exec $real -f -d $dir/data -l 127.0.0.1:0");
    ok($bad->{status} eq '1' && $bad->{err} =~ /descriptor 3, which was handed over, is no listening socket/, 'what is no socket is refused') or diag $bad->{err};
};

done_testing;
