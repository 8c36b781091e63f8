package Bench::Peer;

# The servers that are compared. Each is started once, pinned to the server's core, and sleeps
# while another one is measured. A peer knows its process per query and where a query is asked.

use strict;
use warnings;
use Bench::Http;
use Bench::Process;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

# What the limit is for a query: the fastest way on each engine for answers that fit one send,
# both ways of moving bytes for the large ones.
my %LIMIT_MODES = (
    (map { $_ => [ 'epoll-writev', 'uring-fixed' ] } qw(Q1 Q2 Q6 Q7 Q8)),
    (map { $_ => [ 'epoll-sendfile', 'epoll-writev' ] } qw(Q3 Q4 Q5)),
);
my %H2O_SERVES = map { $_ => 1 } qw(Q1 Q2);

# parse($spec, $option): the peers that one word of --peers means; those that are not there are
# reported through $option->{note}.
sub parse {
    my ($class, $spec, $option) = @_;
    my ($name, $path) = split /=/, $spec, 2;
    if ($name =~ /^tickd/) {
        my ($program, $more) = ($path // '') =~ /\A(\S*)(.*)\z/s;
        $program = $option->{tickd} if $program eq '';
        return $class->_found($option, name => $name, kind => 'tickd', program => $program, more => [ split ' ', $more ]);
    }
    if ($name =~ /^limit(?::(.+))?$/) {
        $path //= $option->{limit};
        my %modes = map { $_ => 1 } _limit_modes($path);
        my @wanted = $1 ? $1 : sort keys %{ { map { $_ => 1 } map { @$_ } values %LIMIT_MODES } };
        my $forced = defined $1;
        my @peers;
        for my $mode (@wanted) {
            if ($modes{$mode}) {
                push @peers, $class->_found($option, name => "limit $mode", kind => 'limit',
                    program => $path, mode => $mode, forced => $forced);
            }
            else { $option->{note}->("$path has no mode $mode: left out") }
        }
        return @peers;
    }
    die "compare: '$name' is no peer; they are tickd, nginx, h2o, limit\n"
        unless $name =~ /^(?:nginx|h2o)$/;
    return $class->_found($option, name => $name, kind => $name, program => $path // $name);
}

sub _limit_modes {
    my ($path) = @_;
    return unless -x $path;
    my $help = Bench::Process::capture('limit', 5, $path, '--help');
    return $help =~ /^  ([a-z]+-[a-z]+) /mg;
}

sub _found {
    my ($class, $option, %peer) = @_;
    my $path = $peer{program} =~ m{/} ? $peer{program} : which($peer{program});
    if (!defined $path || !-x $path) {
        $option->{note}->("$peer{name}: $peer{program} is not there: left out");
        return;
    }
    return bless { %peer, program => $path, at => {} }, $class;
}

# which($program): its path, also where only root looks; undef if there is none.
sub which {
    my ($program) = @_;
    for my $dir (split(/:/, $ENV{PATH}), '/usr/sbin', '/sbin') {
        return "$dir/$program" if -x "$dir/$program";
    }
    return;
}

sub name { return $_[0]{name} }
sub kind { return $_[0]{kind} }

# serves($query): whether this peer is measured on it.
sub serves {
    my ($self, $query) = @_;
    return $H2O_SERVES{ $query->{id} } if $self->{kind} eq 'h2o';
    return 1 if $self->{kind} ne 'limit' || $self->{forced};
    return grep { $_ eq $self->{mode} } @{ $LIMIT_MODES{ $query->{id} } };
}

# start($setup): $setup holds dir (for configuration and logs), cpu (undef: not pinned), workers,
# data, docroot (bodies by query id), queries, tickd_args; perhaps wrap (a command to run it under)
# and patience (seconds until it must answer).
sub start {
    my ($self, $setup) = @_;
    $self->{tag} = $self->{name} =~ s/\W+/-/gr;
    if ($self->{kind} eq 'limit') {
        $self->_start_limit($setup, $_) for grep { $self->serves($_) } @{ $setup->{queries} };
        return;
    }
    my $one = $self->_try_ports($setup, sub { $self->_command($setup, @_) });
    $self->{at}{ $_->{id} } = $one for grep { $self->serves($_) } @{ $setup->{queries} };
}

# The limit knows one body: one process per query.
sub _start_limit {
    my ($self, $setup, $query) = @_;
    $self->{at}{ $query->{id} } = $self->_try_ports($setup, sub {
        my ($port) = @_;
        return ($self->{program}, '--mode', $self->{mode}, '--listen', "127.0.0.1:$port",
            '--body', "$setup->{docroot}/$query->{id}");
    }, $query->{id});
}

# A port that was free a moment ago may be taken by somebody else before the server binds it.
sub _try_ports {
    my ($self, $setup, $command, $suffix) = @_;
    my $log = "$setup->{dir}/$self->{tag}" . (defined $suffix ? "-$suffix" : '') . '.log';
    for my $try (1 .. 3) {
        my $port = free_port();
        my $pid = Bench::Process::spawn($self->{name}, $log, pin($setup->{cpu}),
            @{ $setup->{wrap} // [] }, $command->($port));
        return { pid => $pid, port => $port }
            if $self->_wait_ready($pid, $port, $setup->{patience} // 10);
        Bench::Process::stop($pid);
    }
    die "$self->{name} did not start:\n" . (Bench::Process::slurp($log) // '');
}

sub _wait_ready {
    my ($self, $pid, $port, $patience) = @_;
    my $target = $self->{kind} eq 'tickd' ? '/health' : undef;
    for (my $deadline = time + $patience; time < $deadline; sleep 0.02) {
        return 0 unless Bench::Process::alive($pid);
        my $http = Bench::Http->new($port) or next;
        return 1 unless $target;
        my $answer = eval { $http->get($target) };
        die $@ if $@ =~ /^ended by/;
        return 1 if $answer && $answer->{status} == 200;
    }
    return 0;
}

# pin($cpu): what to put before a command so that it stays on that core.
sub pin {
    my ($cpu) = @_;
    return defined $cpu ? ('taskset', '-c', $cpu) : ();
}

# free_port(): a port of the loopback that the kernel says is free.
sub free_port {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1)
        or die "no free port: $!\n";
    return $socket->sockport;
}

sub _command {
    my ($self, $setup, $port) = @_;
    return $self->_tickd($setup, $port) if $self->{kind} eq 'tickd';
    return $self->_nginx($setup, $port) if $self->{kind} eq 'nginx';
    return $self->_h2o($setup, $port);
}

sub _tickd {
    my ($self, $setup, $port) = @_;
    my @cpus = defined $setup->{cpu} ? ('--cpus', $setup->{cpu}) : ();
    return ($self->{program}, '-f', '-d', $setup->{data}, '-l', "127.0.0.1:$port",
        '-w', $setup->{workers}, @cpus, @{ $setup->{tickd_args} }, @{ $self->{more} });
}

# As its makers advise for static files: no log, no stat per request, header and body in one
# packet, connections that live for ever.
sub _nginx {
    my ($self, $setup, $port) = @_;
    my $prefix = "$setup->{dir}/nginx";
    mkdir $prefix;
    my $user = $> == 0 ? 'user root;' : '';
    my $temporary = join "\n    ",
        map { "${_}_temp_path $prefix/$_;" } qw(client_body proxy fastcgi uwsgi scgi);
    _write("$prefix/nginx.conf", <<"END");
$user
daemon off;
worker_processes $setup->{workers};
pid $prefix/nginx.pid;
error_log stderr error;
events { worker_connections 1024; use epoll; multi_accept on; }
http {
    $temporary
    access_log off;
    sendfile on;
    sendfile_max_chunk 2m;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    keepalive_time 24h;
    open_file_cache max=100 inactive=1h;
    open_file_cache_valid 1h;
    default_type application/octet-stream;
    server { listen 127.0.0.1:$port; root $setup->{docroot}; }
}
END
    return ($self->{program}, '-p', $prefix, '-e', 'stderr', '-c', "$prefix/nginx.conf");
}

sub _h2o {
    my ($self, $setup, $port) = @_;
    my $config = "$setup->{dir}/h2o.conf";
    my $user = $> == 0 ? 'user: root' : '';
    _write($config, <<"END");
$user
num-threads: $setup->{workers}
num-name-resolution-threads: 1
max-connections: 1024
http1-request-timeout: 600
listen:
  host: 127.0.0.1
  port: $port
hosts:
  default:
    paths:
      /:
        file.dir: $setup->{docroot}
        file.send-gzip: OFF
END
    return ($self->{program}, '-c', $config);
}

sub _write {
    my ($path, $text) = @_;
    open my $fh, '>', $path or die "$path: $!\n";
    print {$fh} $text;
    close $fh or die "$path: $!\n";
}

# Where a query is asked: everybody but tickd knows it by its name.
sub target {
    my ($self, $query) = @_;
    return $self->{kind} eq 'tickd' ? $query->{target} : "/$query->{id}";
}

sub url {
    my ($self, $query) = @_;
    return "http://127.0.0.1:$self->{at}{ $query->{id} }{port}" . $self->target($query);
}

# fetch($query, $file): one answer; see Bench::Http.
sub fetch {
    my ($self, $query, $file) = @_;
    my $http = Bench::Http->new($self->{at}{ $query->{id} }{port}) or die "$self->{name}: $!\n";
    return $http->get($self->target($query), $file);
}

# cpu_ns($query): what the processes that answer it have used.
sub cpu_ns {
    my ($self, $query) = @_;
    return Bench::Process::cpu_ns($self->{at}{ $query->{id} }{pid});
}

# stop($patience): see Bench::Process.
sub stop {
    my ($self, $patience) = @_;
    my %pids = map { $_->{pid} => 1 } values %{ $self->{at} };
    Bench::Process::stop($_, $patience) for keys %pids;
    $self->{at} = {};
}

1;
