package Tickd;

# Starts a tickd for a test, waits until it answers, talks to it, stops it and looks at what it
# left behind. Never sleeps for luck: every wait is for a fact, with a deadline.
#
#   TICKD_BUILD      where tickd was built (default: the current directory)
#   TICKD_SRC        the source directory (default: the parent of this file's t/)
#   TICKD_PYTHON     a Python 3 to prefer for what is written in it
#   TICKD_TEST_DATA  real ticks (default: TICKD_SRC/../shared/data)
#   TICKD_WRAPPER    a command to run tickd under, e.g. "valgrind -q --error-exitcode=99"
#   TICKD_TEST_SLOW  factor for all deadlines
#   TICKD_TEST_ROUNDS  factor for the random tests
#   TICKD_SEED       repeats a random test

use v5.26;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Cwd qw(abs_path getcwd);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Temp;
use JSON::PP ();
use POSIX qw(WNOHANG);
use Test::More;
use Tickd::Http;
use Time::HiRes qw(time);

our @EXPORT = qw(build source sanitized seconds deadline tickd scratch wait_for run_tickd run_command python says_ok parse_raw is_error is_answer);

my $source = abs_path($ENV{TICKD_SRC} // dirname(__FILE__) . '/../..');
my $build = abs_path($ENV{TICKD_BUILD} // getcwd);
my $slow = $ENV{TICKD_TEST_SLOW} || 1;
my $made_by = $$;
my %running;

sub build () { return $build }
sub source () { return $source }

# sanitized(): whether a sanitizer watches this build.
sub sanitized () { return _slurp("$build/config.h") =~ /^#define SANITIZED\b/m }

# seconds(N): N seconds on a machine that is not slowed down.
sub seconds ($n) { return $n * $slow }

# deadline(N): for what takes less than N seconds on such a machine, if it happens at all. Whoever waits so long waits for
# something that hangs, not for something that other processes slow down.
sub deadline ($n) { return 6 * seconds($n) }

# tickd(PROGRAM): the command, in its wrapper; PROGRAM is another one in the build that stands for it.
sub tickd ($name = 'tickd') {
    my $program = "$build/$name";
    -x $program or die "no $program: set TICKD_BUILD to the build directory\n";
    return ((split ' ', $ENV{TICKD_WRAPPER} // ''), $program);
}

# scratch(): a directory of its own, gone at the end.
sub scratch () { return File::Temp->newdir('tickd-test-XXXXXX', TMPDIR => 1) }

# wait_for(SECONDS, CODE): until CODE is true; its value, or false when the time is up.
sub wait_for ($limit, $code) {
    my $deadline = time + deadline($limit);
    while (1) {
        my $value = $code->();
        return $value if $value;
        return $value if time >= $deadline;
        select undef, undef, undef, 0.005;
    }
}

# start(data =>, workers =>, options => ['name=value', ...], listen => [...], admin =>, args => [...], program =>):
# a server in the foreground that answers with all its workers (0: as many as a file says); ends the test file if it
# does not.
sub start ($class, %opt) {
    my $self = $class->spawn(%opt);
    my $workers = $opt{workers} // 2;
    if (!wait_for(20, sub { ($self->answers && $self->workers >= $workers) || $self->gone })) {
        $self->dump_log;
        die "tickd does not answer\n";
    }
    if ($self->gone) {
        $self->dump_log;
        die "tickd ended with $self->{status} instead of serving\n";
    }
    return $self;
}

# child(COMMAND, STDOUT, STDERR): the process id of COMMAND, in a process group of its own. A signal at any moment
# reaches it as the system would have it: none is lost in a handler of ours between fork and exec.
sub child ($command, $out, $err) {
    my $all = POSIX::SigSet->new;
    $all->fillset;
    my $before = POSIX::SigSet->new;
    POSIX::sigprocmask(POSIX::SIG_BLOCK(), $all, $before);
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        POSIX::setpgid(0, 0);
        @SIG{qw(TERM INT HUP PIPE)} = ('DEFAULT') x 4;
        POSIX::sigprocmask(POSIX::SIG_SETMASK(), $before);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $out;
        open STDERR, '>>', $err;
        $ENV{LC_ALL} = 'C';
        exec { $command->[0] } @$command or POSIX::_exit(127);
    }
    POSIX::setpgid($pid, $pid);
    POSIX::sigprocmask(POSIX::SIG_SETMASK(), $before);
    return $pid;
}

# spawn: start, without waiting for an answer.
sub spawn ($class, %opt) {
    my $dir = scratch();
    my $self = bless { dir => $dir, log => "$dir/log", %opt }, $class;
    my @command = (
        tickd($opt{program} // 'tickd'), '-f', defined $opt{data} ? ('-d', "$opt{data}") : (),
        (map { ('-l', $_) } @{ $opt{listen} // ['127.0.0.1:0'] }),
        $opt{workers} // 2 ? ('-w', $opt{workers} // 2) : (),
        defined $ENV{TICKD_ENGINE} ? ('-o', "engine=$ENV{TICKD_ENGINE}") : (),
        '-o', 'admin_listen=' . ($self->{admin} = $opt{admin} // 'off'),
        (map { ('-o', $_) } 'revalidate=0', @{ $opt{options} // [] }),
        @{ $opt{args} // [] },
    );
    $self->{pid} = child(\@command, $self->{log}, $self->{log});
    $running{ $self->{pid} } = $self;
    return $self;
}

# daemon(data =>, options => [...], args => [...]): a server in the background, with a pid file and an error log of its
# own in {dir}; {run} is how its command ended. Without {pid} if that failed.
sub daemon ($class, %opt) {
    my $dir = $opt{dir} // scratch();
    my $self = bless { %opt, dir => $dir, log => "$dir/error.log", pid_file => "$dir/tickd.pid", daemon => 1 }, $class;
    $self->{run} = run_tickd(20, $self->daemon_flags, @{ $opt{args} // [] });
    return $self if $self->{run}{status} ne '0';
    ($self->{pid}) = _slurp($self->{pid_file}) =~ /\A(\d+)\n\z/ or die "no process id in $self->{pid_file}\n";
    $self->track;
    return $self;
}

sub daemon_flags ($self) {
    return (
        defined $self->{data} ? ('-d', "$self->{data}") : (), '-w', $self->{workers} // 2,
        (map { ('-l', $_) } @{ $self->{listen} // ['127.0.0.1:0'] }),
        defined $ENV{TICKD_ENGINE} ? ('-o', "engine=$ENV{TICKD_ENGINE}") : (),
        '-o', 'admin_listen=' . ($self->{admin} //= 'off'),
        (map { ('-o', $_) } "pid_file=$self->{pid_file}", "error_log=$self->{log}", @{ $self->{options} // [] }),
    );
}

# alive(PID): as a process, not as a zombie.
sub alive ($pid) {
    my $stat = _slurp("/proc/$pid/stat");
    return $stat ne '' && $stat !~ /\) [ZX] /;
}

sub log_text ($self) {
    open my $file, '<', $self->{log} or return '';
    local $/;
    return <$file> // '';
}

# track(): kill it at the end, if it is left.
sub track ($self) { $running{ $self->{pid} } = $self; return }

# addresses(): as logged, in the order of the log: '127.0.0.1:4711', '[::1]:4712', 'unix:/path'.
sub addresses ($self) {
    return map { s/[,;.]\z//r } $self->log_text =~ /(?<!admin: )listening on (\S+)/g;
}

# answers(): whether /health is 200 on each listener.
sub answers ($self) {
    my @addresses = $self->addresses;
    return 0 if @addresses < @{ $self->{listen} // [1] };
    for my $address (@addresses) {
        my $http = $self->connect($address, quietly => 1) or return 0;
        return 0 if $http->get('/health')->{status} != 200;
    }
    return 1;
}

sub port ($self) {
    my ($address) = grep { /\A127\.0\.0\.1:/ } $self->addresses;
    return $address =~ s/.*://r;
}

# connect(ADDRESS): a client on a new connection; to 127.0.0.1 unless told.
sub connect ($self, $address = undef, %opt) {
    $address //= '127.0.0.1:' . ($self->{port} //= $self->port);
    my $timeout = $opt{timeout} // deadline(10);
    my %where = $address =~ m{\Aunix:(.+)\z} ? (path => $1)
        : $address =~ /\A\[?(.+?)\]?:(\d+)\z/ ? (host => $1, port => $2) : die "no address: $address";
    my $http = Tickd::Http->connect(%where, %opt, timeout => $timeout);
    die "cannot connect to $address: $!" if !$http && !$opt{quietly};
    return $http;
}

# get(TARGET, HEADER => VALUE ...): on a connection of its own.
sub get ($self, $target, @headers) { return $self->connect->get($target, @headers) }

# gone(): whether the process ended; then {status} is its wait status.
sub gone ($self) {
    return 1 if defined $self->{status};
    if ($self->{daemon}) { # somebody else's child
        return 0 if alive($self->{pid});
        $self->{status} = 0;
        delete $running{ $self->{pid} };
        return 1;
    }
    my $reaped = waitpid $self->{pid}, WNOHANG;
    return 0 if $reaped == 0;
    $self->{status} = $reaped == $self->{pid} ? $? : -1;
    delete $running{ $self->{pid} };
    return 1;
}

sub signal ($self, $name) { return kill $name, $self->{pid} }

# stop(SIGNAL, SECONDS): its wait status, or undef if it had to be killed.
sub stop ($self, $signal = 'TERM', $limit = 10) {
    return $self->{status} if $self->gone;
    $self->signal($signal);
    return $self->{status} if wait_for($limit, sub { $self->gone });
    diag "tickd $self->{pid} did not end on SIG$signal";
    $self->dump_log;
    $self->_kill;
    return undef;
}

# stop_ok(NAME): stopped by TERM with status 0, and with a clean log.
sub stop_ok ($self, $name = 'the server') {
    my $status = $self->stop;
    my $ok = is($status, 0, "$name stops with exit status 0");
    $ok = $self->log_ok($name) && $ok;
    $self->dump_log if !$ok;
    return $ok;
}

# log_ok(NAME): no sanitizer or valgrind found anything, and no worker died by itself.
sub log_ok ($self, $name = 'the server') {
    my @bad = grep { /AddressSanitizer|LeakSanitizer|runtime error:|ThreadSanitizer|ERROR SUMMARY: [1-9]|Assertion|Invalid (?:read|write) of/ }
        split /\n/, $self->log_text;
    return ok(!@bad, "$name leaves no complaint of a sanitizer in its log") || diag join "\n", @bad;
}

sub dump_log ($self) {
    my @lines = split /\n/, $self->log_text;
    splice @lines, 0, @lines - 200, '(...)' if @lines > 200;
    diag join "\n", 'log of tickd:', map { "  $_" } @lines;
    return;
}

# workers(): the process ids of the children that live, in order.
sub workers ($self) {
    my @children;
    my $parent = $self->{master} // $self->{pid};
    opendir my $proc, '/proc' or return;
    for my $pid (grep { /\A\d+\z/ } readdir $proc) {
        open my $stat, '<', "/proc/$pid/stat" or next;
        my $line = <$stat> // next;
        my ($state, $ppid) = $line =~ /\A.*\) (\S) (\d+)/s or next;
        push @children, $pid if $ppid == $parent && $state ne 'Z';
    }
    @children = sort { $a <=> $b } @children;
    return @children;
}

# title(PID): its command line.
sub title ($pid) {
    open my $file, '<', "/proc/$pid/cmdline" or return '';
    local $/;
    return (<$file> // '') =~ tr/\0/ /r =~ s/ +\z//r;
}

sub _kill ($self) {
    kill 'KILL', -$self->{pid}, $self->{pid};
    waitpid $self->{pid}, 0 if !defined $self->{status} && !$self->{daemon};
    $self->{status} //= $?;
    delete $running{ $self->{pid} };
    return;
}

# run_tickd(SECONDS, ARGUMENTS): run to its end; {status (exit code, 'signal N' or 'timeout'), out, err}.
sub run_tickd ($limit, @arguments) { return run_command($limit, tickd(), @arguments) }

# run_command(SECONDS, COMMAND): likewise, of any command.
sub run_command ($limit, @command) {
    my $dir = scratch();
    my $pid = child(\@command, "$dir/out", "$dir/err");
    my $ended = wait_for($limit, sub { waitpid($pid, WNOHANG) == $pid });
    my $status = $ended ? ($? & 127 ? 'signal ' . ($? & 127) : $? >> 8) : 'timeout';
    if (!$ended) {
        kill 'KILL', -$pid;
        waitpid $pid, 0;
    }
    return { status => $status, map { $_ => Tickd::_slurp("$dir/$_") } qw(out err) };
}

# python(MODULES): a Python 3 that has them, or undef: TICKD_PYTHON, the first one in PATH, or the system's.
sub python (@modules) {
    for my $python (grep { defined } $ENV{TICKD_PYTHON}, 'python3', '/usr/bin/python3') {
        return $python if run_command(20, $python, '-c', join '; ', 'pass', map { "import $_" } @modules)->{status} eq '0';
    }
    return undef;
}

# says_ok(RUN, NAME): of a program that says 'ok THING', 'not ok THING: why' or 'skip THING: why' for all that it tries,
# and 'done' at the end: a test for each.
sub says_ok ($run, $name) {
    my @lines = split /\n/, $run->{out};
    my $end = @lines ? pop @lines : '';
    for my $line (@lines) {
        my ($verdict, $thing, $why) = $line =~ /\A(ok|not ok|skip) (.*?)(?:: (.*))?\z/ ? ($1, $2, $3) : ('', $line, 'said out of turn');
        SKIP: {
            skip "$name: $thing: $why", 1 if $verdict eq 'skip';
            ok($verdict eq 'ok', "$name: $thing") or diag "  $why";
        }
    }
    return ok($end eq 'done' && $run->{status} eq '0', "$name: to its end")
        || diag "  ended with $run->{status}, after \"$end\"\n$run->{err}";
}

sub _slurp ($path) {
    open my $file, '<:raw', $path or return '';
    local $/;
    return <$file> // '';
}

# parse_raw(BODY): {line, json, data => {column => bytes}}, everything about the form checked; or {error}.
sub parse_raw ($body) {
    my $end = index $body, "\n";
    return { error => 'no line' } if $end < 0;
    my $line = substr $body, 0, $end;
    return { error => "line and newline have @{[ $end + 1 ]} bytes" } if ($end + 1) % 64;
    my $text = $line =~ s/ *\z//r;
    return { error => 'more padding than needed' } if length($line) - length($text) != 63 - length($text) % 64;
    my $json = eval { JSON::PP->new->decode($text) } // return { error => "no JSON: $@" };
    my ($offset, %data) = (0);
    for my $column (@{ $json->{columns} }) {
        return { error => "$column->{name} at $column->{offset}, not $offset" } if $column->{offset} != $offset;
        return { error => "$column->{name}: lengths do not multiply" }
            if $column->{num_records} * $column->{record_size} != $column->{data_length};
        return { error => "$column->{name}: num_records differs" }
            if $column->{num_records} != $json->{columns}[0]{num_records};
        $data{ $column->{name} } = substr $body, $end + 1 + $offset, $column->{data_length};
        $offset += $column->{data_length};
    }
    my $rest = length($body) - $end - 1;
    return { error => "$rest bytes follow the line, not $offset" } if $rest != $offset;
    return { line => $line, json => $json, data => \%data };
}

# is_error(RESPONSE, STATUS, PARAMETER, NAME): an error as API.md section 4 has them. STATUS may be a
# regex; PARAMETER undef (not looked at), a name, or a regex. Returns its text.
sub is_error ($r, $status, $parameter, $name) {
    my @wrong;
    push @wrong, "response: $r->{error}" if $r->{error};
    push @wrong, "status $r->{status}, expected $status"
        if ref $status ? $r->{status} !~ $status : $r->{status} != $status;
    my $json = eval { JSON::PP->new->utf8->decode($r->{body}) };
    if (!$r->{error}) {
        push @wrong, 'body is no JSON ending in one newline' if ref $json ne 'HASH' || $r->{body} !~ /[^\n]\n\z/;
        push @wrong, 'no text in "error"' if ref $json eq 'HASH' && ($json->{error} // '') eq '';
        push @wrong, 'type ' . ($r->{headers}{'content-type'} // 'none')
            if ($r->{headers}{'content-type'} // '') !~ m{\Aapplication/json};
        push @wrong, 'Cache-Control ' . ($r->{headers}{'cache-control'} // 'none')
            if ($r->{headers}{'cache-control'} // '') !~ /\bno-store\b/;
        push @wrong, 'no Access-Control-Allow-Origin' if !defined $r->{headers}{'access-control-allow-origin'};
        push @wrong, 'framed by ' . $r->{framing} if $r->{framing} ne 'length';
    }
    my $named = ref $json eq 'HASH' ? $json->{parameter} : undef;
    if (ref $parameter) {
        push @wrong, "names '" . ($named // '(none)') . "', expected $parameter" if ($named // '') !~ $parameter;
    } elsif (defined $parameter) {
        push @wrong, "names '" . ($named // '(none)') . "', expected '$parameter'" if ($named // '') ne $parameter;
    }
    ok(!@wrong, $name) or diag join "\n", (map { "  $_" } @wrong), '  body: ' . Tickd::Http::show($r->{body});
    return ref $json eq 'HASH' ? $json->{error} // '' : '';
}

# is_answer(RESPONSE, EXPECTED, NAME): byte for byte what the oracle said. Quiet (true) when it is right
# and NAME is undef.
sub is_answer ($r, $expected, $name = undef) {
    my $wrong = wrong_answer($r, $expected);
    if (defined $name) {
        ok(!$wrong, $name) or diag "  $wrong";
    }
    return !$wrong;
}

sub wrong_answer ($r, $expected) {
    return '' if $expected->{unsure} && !$r->{error};
    return "response: $r->{error}" if $r->{error};
    return "status $r->{status}, expected $expected->{status}"
        . ($expected->{why} ? " ($expected->{why})" : '') . ', body: ' . Tickd::Http::show($r->{body})
        if $r->{status} != $expected->{status};
    if ($expected->{status} != 200) {
        my $json = eval { JSON::PP->new->decode($r->{body}) } // return 'error is no JSON: ' . Tickd::Http::show($r->{body});
        my @allowed = ref $expected->{parameter} ? @{ $expected->{parameter} } : $expected->{parameter} // ();
        return 'names ' . ($json->{parameter} // '(none)') . ", expected @allowed"
            if @allowed && !grep { $_ eq ($json->{parameter} // '') } @allowed;
        return "names none of @{ $expected->{files} }: $json->{error}"
            if $expected->{files} && !grep { index($json->{error}, $_) >= 0 } @{ $expected->{files} };
        return '';
    }
    return '' if $r->{body} eq $expected->{body};
    my $line = substr $r->{body}, 0, index($r->{body}, "\n");
    return "line    : $line\nexpected: $expected->{line}" if $line ne $expected->{line};
    my $at = 0;
    my $step = 1 << 16;
    $at += $step while substr($r->{body}, $at, $step) eq substr($expected->{body}, $at, $step);
    $at++ while $at < length $r->{body} && substr($r->{body}, $at, 1) eq substr($expected->{body}, $at, 1);
    return sprintf 'byte %d of %d (expected %d) differs; the line has %d: %s', $at, length $r->{body},
        length $expected->{body}, length($line) + 1, $line;
}

# A test that is stopped ends what it started, too.
$SIG{$_} = sub { exit 1 } for qw(TERM INT HUP);

# Whatever a test file left running ends with it; its exit status stays the test's.
sub END {
    return if $$ != $made_by;
    my $status = $?;
    my @left = values %running;
    $_->_kill for @left;
    $? = $status;
    return;
}

1;
