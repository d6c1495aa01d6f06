/* The commands that need libcurl or libmicrohttpd are in a program of their own, weir-web. These
 * two bring TLS, LDAP, Kerberos and SSH with them, 20 libraries and 9 MiB resident in each process
 * that links them, and a probe on a small router uses none. `weir serve` becomes `weir-web serve`
 * by execve(2), so that who starts it sees one process, one name of a command, one exit code.
 */
#pragma once

/* argv[0] is the command's name. Returns the exit code. */
int weir_web_serve(int argc, char **argv);
int weir_web_notify(int argc, char **argv);
/* Becomes weir-web: that beside this program, else the installed one. Returns the exit code only
 * where there is none. */
int weir_become_web(int argc, char **argv);
