"""How commands end, what they say while they work, and what is kept out of their way."""

import logging
import warnings

import pytest

from fmmp import cli
from fmmp._import_warnings import keep_out
from fmmp.errors import InputError


def fail_with(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (InputError('a.json is\nbroken'), 'error: a.json is broken'),
        (OSError('the disk is full'), 'error: the disk is full'),
        (InputError(), 'error: InputError'),
    ],
)
def test_what_is_wrong_with_the_input_ends_a_command_in_one_line(error, message):
    with pytest.raises(SystemExit) as end:
        cli.run(fail_with(error))
    assert end.value.code == message


def test_an_unexpected_error_keeps_its_traceback():
    with pytest.raises(RuntimeError, match='a bug'):
        cli.run(fail_with(RuntimeError('a bug')))


def test_an_interruption_ends_a_command_with_its_signals_status(capsys):
    terminated = KeyboardInterrupt('saved')
    terminated.number = 15
    for interrupt, status, said in ((KeyboardInterrupt(), 130, ''), (terminated, 143, 'saved')):
        with pytest.raises(SystemExit) as end:
            cli.run(fail_with(interrupt))
        assert end.value.code == status
        assert capsys.readouterr().err == f'{said or "interrupted"}\n'


@pytest.fixture
def progress(monkeypatch, capsys):
    """What 100 steps, of a second each, print."""

    def work(is_terminal):
        now = iter(range(101))
        monkeypatch.setattr('sys.stderr.isatty', lambda: is_terminal, raising=False)
        monkeypatch.setattr('time.monotonic', lambda: next(now))
        show = cli.Progress('images')
        for done in range(1, 101):
            show(done, 100)
        return capsys.readouterr().err

    return work


def test_progress_gives_a_file_a_line_now_and_then(progress):
    assert progress(is_terminal=False).splitlines() == [
        '30/100 images, 0:01:10 left',
        '60/100 images, 0:00:40 left',
        '90/100 images, 0:00:10 left',
        '100/100 images, 0:01:40',
    ]


def test_progress_draws_one_line_anew_on_a_terminal(progress):
    shown = progress(is_terminal=True)
    assert shown.count('\n') == 1 and shown.count('\r') == 100
    assert '[###############               ] 50/100 images, 0:00:50 left' in shown


def test_the_warnings_at_import_are_kept_out_and_no_others():
    kept = "MMCV's new warning"
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter('always')
        keep_out()
        warnings.warn('On January 1, 2023, MMCV will release v2.0.0, in which …', stacklevel=1)
        warnings.warn('Fail to import ``MultiScaleDeformableAttention`` from …', stacklevel=1)
        warnings.warn(kept, stacklevel=1)
    assert [str(one.message) for one in given] == [kept]


def test_torchs_word_on_cuda_is_kept_out_and_no_other(caplog):
    logger = logging.getLogger('torch.utils.cpp_extension')
    logger.warning("No CUDA runtime is found, using CUDA_HOME='%s'", '/usr/local')
    logger.warning('another')
    assert caplog.messages == ['another']
