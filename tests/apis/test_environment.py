import subprocess

from fmmp.apis.environment import git_revision


def test_the_revision_of_a_clone_says_whether_files_differ(tmp_path):
    def git(*command):
        identity = ['-c', 'user.name=n', '-c', 'user.email=e@example.org']
        run = ['git', *identity, *command]
        return subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    assert git_revision(tmp_path) == 'none'
    git('init')
    (tmp_path / 'file').write_text('first')
    git('add', 'file')
    git('commit', '-m', 'First')
    commit = git('rev-parse', 'HEAD').strip()
    assert git_revision(tmp_path) == commit
    (tmp_path / 'file').write_text('second')
    assert git_revision(tmp_path) == f'{commit}-dirty'
