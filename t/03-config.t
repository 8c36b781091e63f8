#!/usr/bin/perl
# The configuration: the file, flags before it, -t and -T, and the file that tickd comes with.

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use File::Path qw(make_path);
use FindBin;
use IO::Socket::IP;
use IO::Socket::UNIX;
use lib "$FindBin::Bin/lib";
use Test::More;
use Tickd;
use Tickd::Data qw(sample write_file);

my $data = scratch();
sample($data);

# conf(TEXT): the path of a file that holds it.
my $files = scratch();
my $count = 0;
sub conf {
    my ($text) = @_;
    my $path = "$files/" . ++$count . '.conf';
    write_file($path, $text);
    return $path;
}

# in_force(ARGUMENTS): what -T prints, as {name => value}.
sub in_force {
    my $run = run_tickd(10, '-T', @_);
    is("$run->{status} $run->{err}", '0 ', '-T succeeds');
    return { $run->{out} =~ /^(\w+) = (.*)$/mg };
}

subtest 'a server from a file' => sub {
    my $path = conf(<<"EOF");
# Made by a test.
data = "$data"   # quoted, as a path may hold anything
listen = {"127.0.0.1:0", 127.0.0.1:0}
workers = 5
keepalive_timeout = 75s max_target = '1k'
EOF
    my $server = Tickd->start(listen => [], args => [ '-c', $path ], workers => 1);
    my @addresses = $server->addresses;
    is(scalar @addresses, 2, 'it listens where the file says');
    my $http = $server->connect($addresses[1]);
    is($http->get('/api/data?symbol=BTC-USD&type=MD&columns=time&start=2025-01-01&end=2025-01-07')->{status}, 200, 'it serves');
    is($server->get('/' . 'x' x 1100)->{status}, 414, 'an option of the file holds');
    is(scalar(my @workers = $server->workers), 1, 'a flag goes before the file');
    $server->stop_ok;
};

subtest '-T prints what is in force' => sub {
    my $path = conf("data = /srv/\\nlisten = {'a:1', 'b:2'}\nworkers = 3 type = {'*/*/x:u8'}\nmax_body = 90k\n" =~ s/\\n/\n/r);
    my $given = in_force('-c', $path);
    is($given->{data}, '"/srv/"', 'of the file');
    is($given->{listen}, '{"a:1", "b:2"}', 'lists');
    is($given->{max_body}, '90k', 'sizes');
    is($given->{backlog}, 1024, 'defaults');
    for my $arguments ([ '-c', $path, '-l', 'c:3', '-w', '4' ], [ '-l', 'c:3', '-w', '4', '-c', $path ]) {
        my $overridden = in_force(@$arguments);
        is($overridden->{listen}, '{"c:3"}', "flags replace lists (@$arguments)");
        is($overridden->{workers}, 4, 'and values');
        is($overridden->{type}, '{"*/*/x:u8"}', 'and nothing else');
    }
    for my $arguments ([ '-d', 'relative' ], [ '-c', $path ],
        [ '-d', "/a \"quote\" \\ \${HOME}\n'\t\xc3\xa9", '-l', '*:1', '-l', "unix:/s\\p", '-o', 'live_grace=3661s', '-o', 'max_body=0' ]) {
        my $first = run_tickd(10, '-T', @$arguments);
        my $second = run_tickd(10, '-T', '-c', conf($first->{out}));
        ok($first->{status} eq '0' && $first->{out} =~ /\n.*\n/ && $second->{out} eq $first->{out}, "it gives the same when read again (@$arguments)")
            or diag "$first->{out}\nagainst\n$second->{out}$second->{err}";
    }
    my %options = map { $_ => 1 } run_tickd(10, '-h')->{out} =~ /^  (\w+)=/mg;
    is(join(' ', sort keys %$given), join(' ', sort keys %options), 'it prints every option');
};

subtest '-t checks' => sub {
    my $good = conf("data = '$data'\nlisten = 127.0.0.1:0\n");
    my $run = run_tickd(10, '-t', '-c', $good);
    is($run->{status}, 0, 'what is fine');
    is($run->{err}, "tickd: $good: configuration is fine\n", 'and says so');
    is(run_tickd(10, '-t', '-d', "$data", '-l', '127.0.0.1:0')->{err}, "tickd: configuration is fine\n", 'without a file, too');
    my @cases = (
        [ 'no file', 1, qr{/nowhere/tickd\.conf}, '-c', '/nowhere/tickd.conf' ],
        [ 'a directory for a file', 1, qr{\Q$files\E: Is a directory}, '-c', "$files" ],
        [ 'a value that is none', 1, qr/:2: option workers: 'two'/, '-c', conf("data = '$data'\nworkers = two\n") ],
        [ 'a value out of its bounds', 1, qr/:1: option backlog: 0 is not between/, '-c', conf("backlog = 0\n") ],
        [ 'a time out of its bounds', 1, qr/:2: option revalidate: 2h is not between 0ms and 1h \(of seconds, or with a unit: ms s m h d\)/, '-c', conf("\nrevalidate = 2h\n") ],
        [ 'a size out of its bounds', 1, qr/:1: option max_target: 1 is not between 64 and 64k \(of bytes/, '-c', conf("max_target = 1\n") ],
        [ 'an unknown option', 1, qr/:3: option wrokers: /, '-c', conf("# a\n\nwrokers = 2\n") ],
        [ 'an option given twice', 1, qr/:2: option workers: it is given twice \(first in line 1\)/, '-c', conf("workers = 2\nworkers = 2") ],
        [ 'an include', 1, qr/:1: option include: /, '-c', conf("include('$good')\n") ],
        [ 'a variable', 1, qr/:1: variables are not expanded/, '-c', conf("data = \"\${HOME}\"\n") ],
        [ 'a bare variable', 1, qr/:1: variables are not expanded/, '-c', conf("data = \${HOME}\n") ],
        [ 'a quote that is not closed', 1, qr/:1: .*closing/, '-c', conf("data = \"/a\n") ],
        [ 'a bare asterisk', 1, qr/:1: .*quotes/, '-c', conf("listen = *:80\n") ],
        [ 'no text', 1, qr/NUL/, '-c', conf("data = \0") ],
        [ 'a file without data', 1, qr/data/, '-c', conf("workers = 2\n") ],
        [ 'data that is not there', 1, qr{/nowhere/at/all}, '-c', conf("data = /nowhere/at/all\n") ],
        [ 'data that is a file', 1, qr/not a directory/, '-c', conf("data = $good\n") ],
        [ 'such data, of a line', 1, qr{:2: option data: the data directory /nowhere/at/all cannot}, '-c', conf("workers = 1\ndata = /nowhere/at/all\n") ],
        [ 'an address of a line', 1, qr/:3: option listen: 'b:22222222' is not/, '-c', conf("data = '$data'\nlisten = {'127.0.0.1:1',\n'b:22222222'}\n") ],
        [ 'an admin address of a line', 1, qr/:2: option admin_listen: /, '-c', conf("data = '$data'\nadmin_listen = nonsense\n") ],
        [ 'a core of a line', 1, qr/:2: option cpus: core 999 is none/, '-c', conf("data = '$data'\ncpus = 999\n") ],
        [ 'a flag in place of a line', 1, qr{(?<=\Atickd: )the data directory /nowhere/else}, '-c', conf("data = /nowhere/at/all\n"), '-d', '/nowhere/else' ],
        [ 'a core that is not there', 1, qr/\b999\b/, '-c', $good, '--cpus', '999' ],
        [ 'an address that is none', 1, qr/nonsense/, '-d', "$data", '-l', 'nonsense' ],
        [ 'a bad flag', 2, qr/there is no flag/, '-c', $good, '--nonsense' ],
        [ 'a bad value of a flag', 2, qr/workers: 'two'/, '-c', $good, '-w', 'two' ],
        [ 'a value in quotes of its own', 2, qr/data="\Q$data\E": leave the quotes out/, '-o', "data=\"$data\"" ],
        [ 'a bad value of a flag, and a bad file', 2, qr/workers: 'two'/, '-c', '/nowhere', '-w', 'two' ],
    );
    for (@cases) {
        my ($name, $status, $culprit, @arguments) = @$_;
        for my $mode ('-t', '-f') {
            my $failed = run_tickd(10, $mode, @arguments);
            ok($failed->{status} eq $status && $failed->{err} =~ /\Atickd: [^\n]*$culprit[^\n]*\n\z/ && $failed->{out} eq '', "$mode: $name")
                or diag "  exit status $failed->{status}, stderr:\n$failed->{err}";
        }
    }
};

subtest 'what describes the symbols may be missing' => sub {
    my $path = conf("data = '$data'\nlisten = 127.0.0.1:0\n\nsymbols_dir = /nowhere/at/all\n");
    my $warning = qr{warning: \Q$path\E:4: option symbols_dir: /nowhere/at/all: No such file or directory: symbols are};
    my $run = run_tickd(10, '-t', '-c', $path);
    ok($run->{status} eq '0' && $run->{err} =~ /\Atickd: $warning[^\n]*\ntickd: [^\n]*is fine\n\z/, '-t warns') or diag $run->{err};
    my $server = Tickd->start(listen => [], args => [ '-c', $path ], workers => 1);
    like($server->log_text, qr/$warning/, 'so does a server');
    is($server->get('/api/symbol-search?q=btc')->{status}, 200, 'which goes on');
    $server->stop_ok;
    for (conf(''), "$data") {
        $run = run_tickd(10, '-t', '-d', "$data", '-l', '127.0.0.1:0', '-o', "symbols_dir=$_");
        my $said = -d $_ ? qr/\Atickd: configuration is fine\n\z/ : qr/symbols_dir: \Q$_\E: Not a directory/;
        like($run->{err}, $said, -d $_ ? 'a directory is fine' : 'a file is none');
    }
};

subtest '-t binds' => sub {
    my $dir = scratch();
    my @call = ('-d', "$data", '-o', "pid_file=$dir/tickd.pid");
    my $test = sub (@arguments) { return run_tickd(10, '-t', @call, @arguments) };
    my $is = sub ($status, $name, @arguments) {
        my $run = $test->(@arguments);
        my $said = $status ? qr/\Atickd: [^\n]*cannot listen on [^\n]*in use[^\n]*\n\z/ : qr/\Atickd: configuration is fine\n\z/;
        ok($run->{status} eq $status && $run->{err} =~ $said, $name) or diag "$run->{status}: $run->{err}";
    };
    my $other = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1) or die $!;
    my $taken = '127.0.0.1:' . $other->sockport;
    my $local = IO::Socket::UNIX->new(Local => "$dir/other", Listen => 1) or die $!;
    $is->(1, 'an address of another process', '-l', $taken);
    $is->(1, 'an admin address of another process', '-l', '127.0.0.1:0', '-o', "admin_listen=$taken");
    $is->(1, 'a socket file of another process', '-l', "unix:$dir/other");
    ok(IO::Socket::UNIX->new(Peer => "$dir/other"), 'which goes on');
    like(run_tickd(10, '-t', '-c', conf("data = '$data'\n\nlisten = \"$taken\"\n"))->{err}, qr/:3: option listen: cannot listen on \Q$taken\E/,
        'it says where it is configured');
    $is->(0, 'a socket file that is not there', '-l', "unix:$dir/new");
    ok(!-e "$dir/new", 'nor afterwards');
    $is->(1, 'the same twice', '-l', "unix:$dir/new", '-l', "unix:$dir/new");

    my $server = Tickd->daemon(dir => $dir, data => "$data", workers => 1, listen => [ '127.0.0.1:0', '[::1]:0', "unix:$dir/socket" ],
        admin => "unix:$dir/admin");
    ok($server->{pid} && wait_for(20, sub { $server->answers }), 'a server runs') or return;
    my @own = $server->addresses;
    $is->(0, "its own $_", '-l', $_) for @own;
    $is->(0, 'all of them', (map { ('-l', $_) } @own), '-o', "admin_listen=unix:$dir/admin");
    $is->(0, 'by its name', '-l', 'localhost:' . $server->port);
    $is->(1, 'another process is none of its own', '-l', $taken);
    $is->(1, 'nor is what it does not have, and could not get by a reload', '-l', '*:' . $server->port);
    my $run = run_tickd(10, '-t', '-d', "$data", '-l', $own[0]);
    is($run->{status}, 1, 'without a pid file nobody knows');
    rename "$dir/tickd.pid", "$dir/tickd.pid.oldbin" or die $!;
    $is->(0, 'its own, while it hands over the name of its pid file', map { ('-l', $_) } @own);
    rename "$dir/tickd.pid.oldbin", "$dir/tickd.pid" or die $!;
    ok($server->answers, 'it goes on');
    $server->stop_ok;
    $is->(0, 'and afterwards they are free', map { ('-l', $_) } @own);
};

subtest 'the file that tickd comes with' => sub {
    my $text = Tickd::_slurp(build() . '/etc/tickd.conf');
    my @rows = Tickd::_slurp(source() . '/include/system/options.def') =~ /^OPTION\((\w+, \w+, "[^"]*")/mg;
    ok(@rows > 20, 'there are options');
    my $expected = join "\n", map {
        my ($kind, $name, $standard) = /\A(\w+), (\w+), "(.*)"\z/;
        my $value = $kind eq 'LIST' ? ($standard eq '' ? '{}' : "{\"$standard\"}") : $kind eq 'STRING' ? "\"$standard\"" : $standard;
        "#$name = $value";
    } @rows;
    is(join("\n", $text =~ /^(#\w+ = .*)$/mg), $expected, 'it has each of them at its default');
    is(join("\n", grep { !/\A(?:#|\z)/ || length > 80 } split /\n/, $text), '', 'as comments, in lines of at most 80 bytes');
    my $plain = run_tickd(10, '-T', '-d', '/x')->{out};
    is(run_tickd(10, '-T', '-d', '/x', '-c', conf($text))->{out}, $plain, 'it changes nothing');
    my $bare = run_tickd(10, '-T', '-d', '/x', '-c', conf($text =~ s/^#(\w+ = )/$1/mgr));
    is($bare->{err}, '', 'it can be read without the comment signs');
    is($bare->{out}, $plain, 'and changes nothing then');
};

subtest 'the default file' => sub {
    my ($default) = run_tickd(10, '-h')->{out} =~ m{^\s+(/\S+/tickd\.conf) if that exists}m;
    ok(defined $default, '--help names it') or return;
    my ($where) = $default =~ m{\A(.*)/};
    my @there = ('unshare', '-rm', 'sh', '-c', 'mount --bind "$0" "$1" && shift && exec "$@"');
    plan skip_all => 'no directory can be mounted over another here'
        if !-d $where || system("unshare -rm sh -c 'mount --bind $files $where' >/dev/null 2>&1") != 0;
    write_file("$files/tickd.conf", "data = /of/the/file\nworkers = 7\n");
    my $run = sub {
        my $dir = scratch();
        my $pid = Tickd::child([ @there, $files, $where, tickd(), '-T', @_ ], "$dir/out", "$dir/err");
        waitpid $pid, 0;
        return Tickd::_slurp("$dir/out") . Tickd::_slurp("$dir/err");
    };
    like($run->(), qr{^data = "/of/the/file"\n.*^workers = 7$}ms, 'it is read');
    like($run->('-w', '3'), qr{^data = "/of/the/file"\n.*^workers = 3$}ms, 'with flags');
    like($run->('-d', '/x'), qr{^data = "/x"\n.*^workers = 0$}ms, 'not with -d');
    like($run->('-c', conf('workers = 2')), qr{^data = ""\n.*^workers = 2$}ms, 'not with -c');
};

done_testing;
